"""timm's networks: any of them by name, and folders as timm writes them (`local-dir:`, `save_for_hf`, `push_to_hf_hub`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, cast, get_args

import torch
import torchvision
from torch import Tensor, nn

from repr.errors import UserError, nearest
from repr.files import read_json
from repr.images.frames import FILTERS, Filter, Frame, Side
from repr.models.architecture import HEAD, IMAGENET_MEAN, IMAGENET_STD, Backbone, Config, Name, called, parsed
from repr.models.hub import cached_file
from repr.models.network_files import ForeignNetwork, number, numbers
from repr.models.tensors import TIMM_FILES, difference, read_some

CROP_MODES: dict[str, Side] = {"center": "shortest", "squash": "squash", "border": "longest"}
# Arguments of `timm.create_model` that say nothing of a network, or load what was not asked for.
NOT_OURS = ("num_classes", "in_chans", "checkpoint_path", "cache_dir", "scriptable", "exportable", "no_jit", "drop_rate", "drop_path_rate")


def library(why: str) -> ModuleType:
    """timm. Raises UserError where it is not installed; why: what needs it."""
    try:
        import timm
    except ModuleNotFoundError:
        raise UserError(f"{why} needs the package timm", "", "Install it with `pip install 'product-repr[imagenet]'`") from None
    module: ModuleType = timm
    return module


def names() -> list[str]:
    """All names of networks; none where timm is not installed."""
    try:
        return list(library("").list_models())
    except UserError:
        return []


def network(name: str, config: Config, classes: int) -> nn.Module:
    """A network with random weights: (b, 3, s, s) → (b, classes), or its pooled features (b, dim) where classes is 0.

    A network with position embeddings takes other sizes than its own where timm can: it then interpolates them at each pass, and its
    tensors stay as they are. Raises UserError for an unknown name or tag.
    """
    timm = library(name)
    _check_name(timm, name)
    if _config_of(timm, name).get("fixed_input_size"):
        try:
            return cast(nn.Module, timm.create_model(name, num_classes=classes, dynamic_img_size=True, **config))
        except TypeError:  # this family does not know the argument
            pass
    return cast(nn.Module, timm.create_model(name, num_classes=classes, **config))


def architecture_of(arch: str) -> tuple[str, Config]:
    """timm's name of an architecture, and the arguments that go with it.

    Raises UserError for one of another library: torchvision's ResNets alone have the same layers and names in timm.
    """
    name = parsed(arch)
    if name.library in ("", "timm") and (name.library or not hasattr(torchvision.models, arch) or arch.startswith("resnet")):
        return name.name, name.config
    raise UserError(f"timm has no {called(arch)}", "", "Export as onnx or safetensors")


def described(name: str, config: Config) -> Backbone:
    """What must be known of a network. Raises UserError for an unknown name, and for one that gives no vector of square images."""
    timm = library(name)
    with torch.device("meta"):
        bare = network(name, config, 0).eval()
        headed = network(name, config, 2)
    about = _config_of(timm, name)
    size = _side(config.get("img_size") or about.get("input_size") or 224, name)
    with torch.no_grad():
        features = bare(torch.zeros((1, 3, size, size), device="meta"))
    if not isinstance(features, Tensor) or features.ndim != 2:
        raise UserError(f"{name} gives no single vector of an image", "", "Choose another network")
    dim = int(features.shape[1])
    ratio = getattr(getattr(bare, "patch_embed", None), "feat_ratio", None)
    dynamic = bool(getattr(getattr(bare, "patch_embed", None), "dynamic_img_pad", False)) or getattr(bare, "dynamic_img_size", False)
    fixed = bool(about.get("fixed_input_size")) and not dynamic
    least = about.get("min_input_size")
    return Backbone(
        "timm",
        dim,
        _head(headed, about.get("classifier"), dim),
        size,
        least=max(least[1:]) if least else 16,
        mean=tuple(about.get("mean") or IMAGENET_MEAN),
        std=tuple(about.get("std") or IMAGENET_STD),
        depthwise=_depthwise(bare),
        step=int(ratio()) if dynamic and ratio is not None else 1,
        fixed=fixed,
    )


def pretrained(name: str) -> ForeignNetwork:
    """The published weights of a network, from the local cache. Raises UserError when they are not there, and none may be fetched."""
    timm = library(name)
    _check_name(timm, name)
    about = _config_of(timm, name)
    hub, file = about.get("hf_hub_id"), about.get("hf_hub_filename")
    if not hub:
        raise UserError(f"timm publishes no weights of {name}", "", "Give it as `arch`, with random weights, or a folder of weights")
    tensors = read_some(cached_file(hub, (file,) if file else TIMM_FILES, name))
    return _network(name, {}, about, tensors, name, int(about.get("num_classes") or 0))


def read_folder(folder: Path) -> ForeignNetwork:
    """The network and weights of a folder with timm's config.json. Raises UserError that names what is missing or does not fit."""
    place = folder / "config.json"
    content = read_json(place)
    name = str(content["architecture"])
    timm = library(name)
    if not timm.is_model(name):
        raise UserError(f"timm has no network {name}", place, nearest(name, timm.list_models()))
    about = content.get("pretrained_cfg") or content  # an older form has it all at the top
    tag = f"{name}.{about['tag']}" if about.get("tag") else name
    name = tag if tag in timm.list_pretrained() else name
    # What `timm.create_model` takes from the folder's pretrained_cfg where its arguments do not say.
    own = {key: value for key, value in (content.get("model_args") or {}).items() if key not in NOT_OURS}
    if about.get("global_pool") is not None:
        own.setdefault("global_pool", about["global_pool"])
    usual = _config_of(timm, name)
    if about.get("input_size") and usual.get("fixed_input_size") and tuple(about["input_size"]) != tuple(usual.get("input_size") or ()):
        own.setdefault("img_size", _side(about["input_size"], str(place)))
    classes = content.get("num_classes", about.get("num_classes", 0))
    network = _network(name, own, about, read_some(folder, TIMM_FILES), place, int(classes))
    labels = content.get("label_names")
    if network.classes and isinstance(labels, list) and len(labels) == len(network.classes):
        network = replace(network, classes=tuple(map(str, labels)))
    return network


def _network(
    name: str, config: Config, about: Mapping[str, Any], tensors: dict[str, Tensor], where: str | Path, classes: int
) -> ForeignNetwork:
    """The weights as timm itself loads them, which renames and fits those of older files."""
    timm = library(name)
    if about.get("input_size") and about["input_size"][0] != 3:
        raise UserError(f"a network of images with {about['input_size'][0]} channels", where, "Give one of colour images")
    overlay = {"state_dict": dict(tensors), "num_classes": classes, "label_offset": about.get("label_offset") or 0}
    try:
        loaded = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, num_classes=classes, **config)
    except (RuntimeError, KeyError, TypeError, ValueError, AttributeError) as error:
        with torch.device("meta"):
            expected = timm.create_model(name, num_classes=classes, **config).state_dict()
        differs = difference(tensors, {key: tuple(tensor.shape) for key, tensor in expected.items()}) or str(error).partition("\n")[0]
        raise UserError(f"not the weights of {name}: {differs}", where, "Give weights of that network, or mend the config") from None
    state = dict(loaded.state_dict())
    arch = str(Name("timm" if name in torchvision.models.list_models() else "", name, config))
    entry = described(name, config)
    with torch.device("meta"):
        bare = network(name, config, 0).state_dict()
    head = {f"{entry.head}.weight", f"{entry.head}.bias"}
    parts = {key: tensor for key, tensor in state.items() if key in bare or key in head}
    headed = head <= parts.keys()
    return ForeignNetwork(
        arch,
        {key: tensor for key, tensor in parts.items() if headed or key not in head},
        _side(about.get("input_size") or entry.size, where),
        numbers(about.get("mean") or entry.mean, where),
        numbers(about.get("std") or entry.std, where),
        _frame(about, where),
        tuple(map(str, range(classes))) if headed else (),
        str(about.get("license") or ""),
    )


def _frame(about: Mapping[str, Any], where: str | Path) -> Frame:
    """How timm's evaluation transform makes images square; defaults of `timm.data.resolve_data_config`."""
    name, mode = about.get("interpolation") or "bicubic", about.get("crop_mode") or "center"
    if name not in FILTERS or mode not in CROP_MODES:
        raise UserError(f"images resized by {name!r} and cropped by {mode!r}", where, f"We know {', '.join((*FILTERS, *CROP_MODES))}")
    assert name in get_args(Filter)
    fill = tuple(round(255 * value) for value in numbers(about.get("mean") or IMAGENET_MEAN, where))
    return Frame(CROP_MODES[mode], name, number(about.get("crop_pct") or 0.875, where), fill=fill if mode == "border" else (0, 0, 0))


def _check_name(timm: ModuleType, name: str) -> None:
    bare, _, tag = name.partition(".")
    if not timm.is_model(bare):
        raise UserError(f"timm has no network {bare}", "", nearest(bare, timm.list_models()))
    tags = [each.partition(".")[2] for each in timm.list_pretrained(f"{bare}.*")]
    if tag and tag not in tags:
        raise UserError(f"timm has no weights {tag} of {bare}", "", nearest(tag, tags) if tags else f"Leave .{tag} out")


def _config_of(timm: ModuleType, name: str) -> dict[str, Any]:
    config = timm.get_pretrained_cfg(name)
    return dict(config.to_dict()) if config is not None else {}


def _side(size: object, where: str | Path) -> int:
    """The side of square images, from 224, [224, 224] or [3, 224, 224]."""
    sides = {int(side) for side in list(size)[-2:]} if isinstance(size, list | tuple) else {int(cast(int, size))}
    if len(sides) != 1:
        raise UserError(f"images of {'×'.join(map(str, cast('list[int]', size)))} are not square", where, "Give a network of square images")
    return sides.pop()


def _head(headed: nn.Module, classifier: object, dim: int) -> str:
    """The name of the linear layer over the features; HEAD where timm's classifier is something else, and is left out."""
    if isinstance(classifier, str):
        with_head = dict(headed.named_modules())
        layer = with_head.get(classifier)
        if isinstance(layer, nn.Linear) and layer.in_features == dim and layer.bias is not None:
            return classifier
    return HEAD


def _depthwise(module: nn.Module) -> bool:
    convolutions = [layer for layer in module.modules() if isinstance(layer, nn.Conv2d)]
    deep = [layer for layer in convolutions if layer.groups == layer.in_channels > 1]
    spatial = [layer for layer in convolutions if max(layer.kernel_size) > 1]
    return 2 * len(deep) > len(spatial)
