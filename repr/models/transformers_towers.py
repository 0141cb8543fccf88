"""The image towers of transformers, from folders as `save_pretrained` writes them: DINOv2, DINOv3, SigLIP, CLIP, ConvNeXt, ViT."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from PIL import Image
from torch import Tensor, nn

from repr.errors import UserError, nearest
from repr.files import read_json
from repr.images.frames import FILTERS, Frame
from repr.models.architecture import HEAD, Backbone, Config, Name
from repr.models.network_files import ForeignNetwork, number, numbers
from repr.models.tensors import TRANSFORMERS_FILES, read_some

PROCESSORS = ("preprocessor_config.json", "processor_config.json")
TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "spiece.model", "tokenizer.model", "vocab.txt")
# Of a config.json: what says nothing of the network.
UNUSED = ("architectures", "transformers_version", "dtype", "torch_dtype", "id2label", "label2id", "_name_or_path", "problem_type")


@dataclass(frozen=True)
class Kind:
    """A kind of tower: its class, which of its outputs is the embedding, and what its forward pass and constructor are told.

    resampled: whether positions are interpolated for other image sizes when it is told to.
    """

    of: str
    output: str = "pooler_output"
    resampled: bool = False
    pooling: bool = True
    step: str = "patch_size"


TOWERS = {
    "dinov2": Kind("Dinov2Model"),
    "dinov2_with_registers": Kind("Dinov2WithRegistersModel"),
    "dinov3_vit": Kind("DINOv3ViTModel"),
    "dinov3_convnext": Kind("DINOv3ConvNextModel", step=""),
    "siglip_vision_model": Kind("SiglipVisionModel", resampled=True),
    "clip_vision_model": Kind("CLIPVisionModelWithProjection", "image_embeds", resampled=True),
    "convnext": Kind("ConvNextModel", step=""),
    "convnextv2": Kind("ConvNextV2Model", step=""),
    "vit": Kind("ViTModel", "last_hidden_state", resampled=True, pooling=False),  # its pooler is not trained with its classifier
}
WHOLE = {"siglip": "siglip_vision_model", "clip": "clip_vision_model"}  # models of images and texts, and the tower in them


class Tower(nn.Module):
    """An image tower: (b, 3, s, s) → (b, dim), the embedding of its kind, and a head over it where there are classes."""

    def __init__(self, tower: nn.Module, kind: Kind, dim: int, classes: int) -> None:
        super().__init__()
        self.tower = tower
        self.kind = kind
        self.classifier = nn.Linear(dim, classes) if classes else nn.Identity()
        for name, parameter in tower.named_parameters():
            if name.endswith("mask_token"):  # for pretraining by masks: no image passes it, and no gradient reaches it
                parameter.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """(b, 3, s, s), normalised, → (b, dim) or (b, classes)."""
        options = {"interpolate_pos_encoding": True} if self.kind.resampled else {}
        output: Tensor = self.tower(pixel_values=images, **options)[self.kind.output]
        scores: Tensor = self.classifier(output[:, 0] if self.kind.output == "last_hidden_state" else output)
        return scores


def library() -> ModuleType:
    """transformers. Raises UserError where it is not installed."""
    try:
        import transformers
    except ModuleNotFoundError:
        raise UserError(
            "image towers of transformers need the package transformers", "", "Install it with `pip install 'product-repr[backbones]'`"
        ) from None
    module: ModuleType = transformers
    return module


def network(name: str, config: Config, classes: int) -> Tower:
    """A tower with random weights. name: of TOWERS; config: as its config.json. Raises UserError when transformers cannot build it."""
    kind, about = _kind(name), _config_of(name, config)
    try:
        tower = getattr(library(), kind.of)(about, **({} if kind.pooling else {"add_pooling_layer": False}))
    except (RuntimeError, TypeError, ValueError, KeyError) as error:
        raise UserError(f"transformers cannot build its image tower ({error})", name, "Mend the config, or update transformers") from None
    return Tower(tower, kind, _dim(kind, about), classes)


def described(name: str, config: Config) -> Backbone:
    """What must be known of a tower."""
    kind, about = _kind(name), _config_of(name, config)
    step = int(about.patch_size) if kind.step else 1
    size = int(getattr(about, "image_size", 224) or 224)
    return Backbone("transformers", _dim(kind, about), HEAD, size, least=max(step, 16) if kind.step else 32, step=step)


def read_folder(folder: Path) -> ForeignNetwork:
    """The tower and weights of a folder of transformers'. Raises UserError that names what is missing or does not fit."""
    place = folder / "config.json"
    content = read_json(place)
    name, config = _tower_of(content, place)
    if not any((folder / each).is_file() for each in PROCESSORS):
        raise UserError(f"no {PROCESSORS[0]} in this folder", folder, "Fetch the whole folder: it says how images are prepared")
    if "quantization_config" in content:
        raise UserError("weights of 8 bits or fewer (its config has a quantization_config)", place, "Give those of 16 or 32 bits")
    tensors = _loaded(name, config, read_some(folder, TRANSFORMERS_FILES), folder)
    processor = _processor(folder)
    size, frame = _frame(processor, folder / PROCESSORS[0])
    normal = bool(getattr(processor, "do_normalize", True))
    return ForeignNetwork(
        str(Name("transformers", name, config)),
        {f"tower.{key}": tensor for key, tensor in tensors.items()},
        size,
        numbers(processor.image_mean if normal else 0.0, place),
        numbers(processor.image_std if normal else 1.0, place),
        frame,
        licence=str(content.get("license") or ""),
    )


def _kind(name: str) -> Kind:
    if name not in TOWERS:
        raise UserError(f"no image tower of a {name}", "", f"We know {', '.join((*TOWERS, *WHOLE))}")
    return TOWERS[name]


def _config_of(name: str, config: Config) -> Any:
    transformers = library()
    try:
        return transformers.AutoConfig.for_model(name, **config)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"this transformers has no {name} ({str(error).partition(chr(10))[0]})", "", "Update transformers") from None


def _dim(kind: Kind, config: Any) -> int:
    if kind.output == "image_embeds":
        return int(config.projection_dim)
    return int(config.hidden_size if hasattr(config, "hidden_size") else config.hidden_sizes[-1])


def _tower_of(content: Mapping[str, Any], place: Path) -> tuple[str, dict[str, Any]]:
    """The tower's name, and its part of a config.json."""
    name = str(content["model_type"])
    if name in WHOLE:
        vision = content.get("vision_config")
        if not isinstance(vision, dict):
            raise UserError("no vision_config in it", place, "Fetch the file again")
        if name == "clip":  # the width of its embedding stands above the two towers
            vision = {**vision, "projection_dim": content.get("projection_dim", 512)}
        name, content = WHOLE[name], vision
    if name not in TOWERS:
        known = (*TOWERS, *WHOLE)
        raise UserError(f"a {name}, of which we know no image tower", place, nearest(name, known))
    return name, {key: value for key, value in content.items() if key not in (*UNUSED, "model_type")}


def _loaded(name: str, config: Config, tensors: dict[str, Tensor], where: Path) -> dict[str, Tensor]:
    """The tower's tensors, found among those of a whole model and renamed by transformers itself.

    Raises UserError when some are missing.
    """
    kind = TOWERS[name]
    with _quiet():
        tower, report = getattr(library(), kind.of).from_pretrained(
            None,
            config=_config_of(name, config),
            state_dict=tensors,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # told below, in our words
            **({} if kind.pooling else {"add_pooling_layer": False}),
        )
    missing = sorted(report["missing_keys"])
    wrong = sorted(each[0] if isinstance(each, tuple) else str(each) for each in report["mismatched_keys"])
    if wrong or missing:
        faults = [f"{len(names)} {what} ({names[0]})" for names, what in ((missing, "missing"), (wrong, "of another shape")) if names]
        raise UserError(f"not the weights of its config.json: {'; '.join(faults)}", where, "Fetch the whole folder again")
    return dict(tower.state_dict())


def _processor(folder: Path) -> Any:
    """What transformers prepares the folder's images with, its defaults filled in."""
    try:
        with _quiet():
            return library().AutoImageProcessor.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(
            f"transformers cannot read it ({reason})", folder / PROCESSORS[0], "Fetch it again, or update transformers"
        ) from None


def _frame(processor: Any, where: Path) -> tuple[int, Frame]:
    """The side of the images in pixels, and how they are made square."""
    resized, cropped = _sides(processor.size), _sides(getattr(processor, "crop_size", None))
    name = Image.Resampling(int(processor.resample)).name.lower()
    assert name in FILTERS
    scale = getattr(processor, "rescale_factor", 1 / 255)
    if not getattr(processor, "do_resize", True) or abs(scale * 255 - 1) > 1e-6:
        raise UserError("images are not resized, or not scaled to 0..1", where, "Give a model whose images are")
    if getattr(processor, "do_center_crop", False) and cropped:
        height, width = cropped.get("height"), cropped.get("width")
        if height != width or not height:
            raise UserError("images are not made square", where, "Give a model of square images")
        if "shortest_edge" in resized:
            return height, Frame("shortest", name, height / resized["shortest_edge"], half="down")
        if resized.get("height") == resized.get("width"):
            return height, Frame("squash", name, height / resized["height"], half="down")
    elif "shortest_edge" in resized and getattr(processor, "crop_pct", None):  # ConvNeXt's own way
        size = resized["shortest_edge"]
        share = number(processor.crop_pct, where)
        return size, Frame("shortest", name, share, half="down") if size < 384 else Frame("squash", name)
    elif resized.get("height") and resized.get("height") == resized.get("width"):
        return resized["height"], Frame("squash", name)
    raise UserError("images are not made square", where, "Give a model of square images")


def _sides(size: Any) -> dict[str, int]:
    """A processor's size, in whichever class it keeps it, without what is not said."""
    if size is None:
        return {}
    if isinstance(size, int):
        return {"height": size, "width": size}
    pairs = size.items() if isinstance(size, Mapping) else vars(size).items()
    return {str(name): int(value) for name, value in pairs if value}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' own words and bars about loading; what matters of them is told by us."""
    logging = library().utils.logging
    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()
