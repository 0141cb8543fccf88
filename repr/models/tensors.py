"""Tensors in files that others wrote: read without running code, unwrapped, in float32, and compared with what a network expects."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from repr.errors import UserError
from repr.files import read_json

TIMM_FILES = ("model.safetensors", "pytorch_model.bin", "pytorch_model.pth", "model.pth")  # timm 1.0's order, models/_hub.py
TRANSFORMERS_FILES = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
OPEN_CLIP_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin")
EIGHT_BITS = tuple(getattr(torch, name) for name in ("int8", "uint8", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"))
WRAPPERS = ("state_dict", "model_state_dict", "model", "network", "net")  # keys under which training scripts keep the tensors
# Prefixes of the same: DataParallel, torch.compile, Lightning modules, MoCo's query encoder, timm's and lightly's backbones.
PREFIXES = ("module.", "_orig_mod.", "model.", "encoder_q.", "backbone.", "encoder.", "network.", "net.")
# The first tensor of torchvision's, timm's and the lite package's networks, of VGG and of Inception.
FIRST = ("conv1.weight", "conv_stem.weight", "_conv_stem.weight", "features.0.weight", "Conv2d_1a_3x3.conv.weight")


def read_tensors(path: Path, *, bare: bool = True) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file, floats as float32, and its metadata (empty but for .safetensors). The kind is told by content.

    bare: of a PyTorch file that a training wrote, without the prefixes of what stood around the network, and without what stood beside it.
    Raises UserError when the file is neither kind, is cut short, holds pickled code, or weights of 8 bits.
    """
    with path.open("rb") as stream:
        head = stream.read(16)
    metadata: dict[str, str] = {}
    # A .safetensors begins with its header's length, whose first byte may be a pickle's: one file in 32 of ours has 0x80 there.
    header = int.from_bytes(head[:8], "little") if head[8:9] == b"{" else path.stat().st_size
    if head[:4] == b"PK\x03\x04" or (head[:1] == b"\x80" and header >= path.stat().st_size):
        tensors = _state_dict(_read_torch(path), path)
        tensors = _without_prefixes(tensors) if bare else tensors
    elif head[8:9] == b"{":
        tensors, metadata = _read_safetensors(path)
    else:
        raise UserError("neither a .safetensors nor a PyTorch file", path, "Give a weights file")
    _refuse_eight_bits(tensors, path)
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}, metadata


def read_some(place: Path, names: Sequence[str] = ()) -> dict[str, Tensor]:
    """The tensors of a file, or of the first of `names` that a folder holds; an index (.json) stands for the files that it names.

    Raises UserError that names the first of them when there is none.
    """
    file = next((place / name for name in names if (place / name).is_file()), None) if place.is_dir() else place
    if file is None:
        raise UserError(f"no {names[0]} in this folder", place, "Fetch the whole folder, or give a file of weights")
    if file.suffix != ".json":
        return read_tensors(file, bare=False)[0]
    tensors: dict[str, Tensor] = {}
    for name in sorted(set(read_json(file)["weight_map"].values())):
        if not (file.parent / name).is_file():
            raise UserError(f"no {name} in this folder, which {file.name} names", file.parent, "Fetch the whole folder")
        tensors |= read_tensors(file.parent / name, bare=False)[0]
    return tensors


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


def _refuse_eight_bits(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Weights of 8 bits stand for others by scales that each program keeps in its own way."""
    narrow = [name for name, tensor in tensors.items() if tensor.dtype in EIGHT_BITS and tensor.ndim > 1]
    if narrow:
        kind = str(tensors[narrow[0]].dtype).removeprefix("torch.")
        raise UserError(
            f"weights of 8 bits ({len(narrow)} tensors, such as {narrow[0]}, are {kind}), which are not read",
            path,
            "Give the weights from which they were made, of 16 or 32 bits",
        )


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


def _state_dict(content: object, where: Path) -> dict[str, Tensor]:
    """The tensors in what a program saved, out of wrapping dicts."""
    while isinstance(content, dict):
        inner = next((content[key] for key in WRAPPERS if isinstance(content.get(key), dict)), None)
        if inner is None:
            break
        content = inner
    tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)} if isinstance(content, dict) else {}
    if not tensors:
        raise UserError("no tensors in it", where, "Give a file with a state_dict")
    return tensors


def _without_prefixes(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The network's tensors without prefixes, and without other modules' tensors."""
    while not any(name in tensors for name in FIRST):
        prefix = next((p for p in PREFIXES if any(name.startswith(p) for name in tensors)), "")
        if not prefix:
            break
        tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    return tensors


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "a number"
