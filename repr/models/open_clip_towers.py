"""The image towers of open_clip, from folders as it writes them: open_clip_config.json and open_clip_model.safetensors (or .bin)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import interpolate

from repr.errors import UserError
from repr.files import read_json
from repr.images.frames import Filter, Frame, Side
from repr.models.architecture import HEAD, Backbone, Config, Name
from repr.models.network_files import ForeignNetwork, numbers
from repr.models.tensors import OPEN_CLIP_FILES, difference, read_some

CONFIG = "open_clip_config.json"
OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)  # open_clip/constants.py
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)
SIDES: dict[str, Side] = {"shortest": "shortest", "longest": "longest", "squash": "squash"}
TEXT = {"context_length": 1, "vocab_size": 1, "width": 8, "heads": 1, "layers": 1}  # the smallest, for it is thrown away
PREFIX = "visual."


class Tower(nn.Module):
    """An image tower: (b, 3, s, s) → (b, dim), its embedding as `encode_image` gives it, and a head over it where there are classes.

    A transformer's learned positions are interpolated at each pass where the image has another size than its own, as
    `open_clip.model.resize_pos_embed` does it to the tensors.
    """

    def __init__(self, tower: nn.Module, dim: int, classes: int) -> None:
        super().__init__()
        self.tower = tower
        self.classifier = nn.Linear(dim, classes) if classes else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """(b, 3, s, s), normalised, → (b, dim) or (b, classes)."""
        positions = getattr(self.tower, "positional_embedding", None)
        size = getattr(self.tower, "image_size", None)
        if positions is None or size is None or tuple(size) == tuple(images.shape[-2:]):
            output = self.tower(images)
        else:
            patch = self.tower.patch_size
            grid = (images.shape[-2] // int(patch[0]), images.shape[-1] // int(patch[1]))  # type: ignore[index]
            output = functional_call(self.tower, {"positional_embedding": _resampled(positions, grid)}, (images,))
        features = output[0] if isinstance(output, tuple) else output  # some give their tokens too
        scores: Tensor = self.classifier(features)
        return scores


def network(config: Config, classes: int) -> Tower:
    """A tower with random weights. config: embed_dim, vision_cfg, quick_gelu, as open_clip_config.json has them.

    Raises UserError when open_clip is missing or cannot build it.
    """
    try:
        from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg
    except ModuleNotFoundError:
        raise UserError(
            "image towers of open_clip need the package open_clip_torch", "", "Install it with `pip install 'product-repr[backbones]'`"
        ) from None
    vision, dim = config.get("vision_cfg"), config.get("embed_dim")
    if not isinstance(vision, Mapping) or not isinstance(dim, int):
        raise UserError("no vision_cfg and embed_dim in it", CONFIG, "Fetch the folder again")
    known = {field.name for field in fields(CLIPVisionCfg)}
    if unknown := sorted(set(vision) - known):
        raise UserError(f"this open_clip knows no {unknown[0]} of image towers", CONFIG, "Update open_clip_torch")
    try:
        whole = CLIP(
            embed_dim=dim,
            vision_cfg=CLIPVisionCfg(**{**vision, "timm_model_pretrained": False}),  # else it would fetch some
            text_cfg=CLIPTextCfg(**TEXT),
            quick_gelu=bool(config.get("quick_gelu")),
        )
    except (RuntimeError, TypeError, ValueError, AssertionError) as error:
        raise UserError(f"open_clip cannot build its image tower ({error})", CONFIG, "Mend the config, or update open_clip_torch") from None
    return Tower(whole.visual, dim, classes)


def described(config: Config) -> Backbone:
    """What must be known of a tower."""
    with torch.device("meta"):
        tower = network(config, 0)
    vision = config["vision_cfg"]
    assert isinstance(vision, Mapping)
    size, patch = vision.get("image_size", 224), getattr(tower.tower, "patch_size", None)
    assert isinstance(size, int), "a side"
    return Backbone(
        "open_clip",
        tower.classifier.in_features if isinstance(tower.classifier, nn.Linear) else int(config["embed_dim"]),  # type: ignore[arg-type]
        HEAD,
        size,
        mean=OPENAI_MEAN,
        std=OPENAI_STD,
        step=int(patch[0]) if patch is not None else 1,
        fixed=patch is None,
    )


def read_folder(folder: Path) -> ForeignNetwork:
    """The tower and weights of a folder of open_clip's. Raises UserError that names what is missing or does not fit."""
    place = folder / CONFIG
    content = read_json(place)
    model, preprocess = content.get("model_cfg"), content.get("preprocess_cfg") or {}
    if not isinstance(model, dict) or not isinstance(model.get("vision_cfg"), dict):
        raise UserError("no model_cfg with a vision_cfg in it", place, "Fetch the file again")
    config: dict[str, Any] = {key: model[key] for key in ("embed_dim", "vision_cfg", "quick_gelu") if key in model}
    try:
        with torch.device("meta"):
            expected = {name: tuple(tensor.shape) for name, tensor in network(config, 0).tower.state_dict().items()}
    except UserError as error:
        raise UserError(error.message, place, error.remedy) from None
    everything = read_some(folder, OPEN_CLIP_FILES)
    tensors = {name.removeprefix(PREFIX): tensor for name, tensor in everything.items() if name.startswith(PREFIX)}
    differs = difference(tensors, expected)
    if differs:
        raise UserError(f"not the weights of its {CONFIG}: {differs}", folder, "Fetch the whole folder again")
    vision = model["vision_cfg"]
    kind = vision.get("timm_model_name") or ("ResNet" if isinstance(vision.get("layers"), list) else "ViT")
    size = preprocess.get("size") or vision.get("image_size", 224)
    if isinstance(size, list):
        if len(set(size)) != 1:
            raise UserError(f"images of {'×'.join(map(str, size))} are not square", place, "Give a model of square images")
        size = size[0]
    return ForeignNetwork(
        str(Name("open_clip", kind, config)),
        {f"tower.{name}": tensor for name, tensor in tensors.items()},
        int(size),
        numbers(preprocess.get("mean") or OPENAI_MEAN, place),
        numbers(preprocess.get("std") or OPENAI_STD, place),
        _frame(preprocess, place),
    )


def _frame(preprocess: Mapping[str, Any], where: Path) -> Frame:
    """How `open_clip.transform.image_transform` makes images square."""
    mode, name = preprocess.get("resize_mode") or "shortest", preprocess.get("interpolation") or "bicubic"
    if mode not in SIDES:
        raise UserError(f"images resized by {mode!r}", where, f"We know {', '.join(SIDES)}")
    used: Filter = "bilinear" if name == "bilinear" else "bicubic"  # as open_clip, to which "random" is bicubic
    fill = int(preprocess.get("fill_color") or 0)
    return Frame(SIDES[mode], used, fill=(fill,) * 3)


def _resampled(positions: Tensor, grid: tuple[int, int]) -> Tensor:
    """(1 + n, d) learned positions, the class token's first, for another grid of patches."""
    token, image = positions[:1], positions[1:]
    side = math.isqrt(len(image))
    maps = image.reshape(1, side, side, -1).permute(0, 3, 1, 2)
    maps = interpolate(maps, size=grid, mode="bicubic", antialias=True, align_corners=False)
    return torch.cat([token, maps.permute(0, 2, 3, 1).reshape(grid[0] * grid[1], -1)])
