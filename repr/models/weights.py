"""Weights files: one reader for all kinds, one writer, strict about what is in them.

A file of ours is a .safetensors with the library's parameter names; its metadata says what it needs to be used, and how it was made:
version, name, arch, size, crops, mean, std, classes, provenance (`repr.models.provenance`), each but the names as JSON; and frame, where
images are made square as a library of others does it (`repr.images.frames`).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from repr.crops import WHOLE, checked
from repr.errors import UserError, nearest
from repr.files import replacing
from repr.images.frames import Frame
from repr.models import folders, foreign, timm_networks
from repr.models.architecture import called
from repr.models.backbones import backbone, build, check_size, empty, expected_shapes, head_names, usual_size
from repr.models.encoder import Encoder
from repr.models.network_files import ForeignNetwork
from repr.models.provenance import NOT_KNOWN, Parent, Provenance, of_imagenet
from repr.models.tensors import difference, read_tensors
from repr.records import from_json, to_json

VERSION = 3
FILE = "weights.safetensors"  # in a run folder
NONE_ARCH, NONE_SIZE = "resnet18", 64  # what "none" means where nothing else is said


@dataclass(frozen=True)
class Weights:
    """Tensors with the library's names, on the CPU, and what must be known to use them.

    tensors: the backbone's, and the head's two when `classes` (its outputs, in order) is not empty; size: image side in
    pixels; crops: the shares of it that are embedded (`repr.crops`), empty where nothing was said; mean, std: normalisation of
    images in 0..1, by default the architecture's usual; provenance: how they came about; name: for tables; frame: how images are made
    square, None for our way; licence: as their files say, "" where they do not.
    """

    tensors: Mapping[str, Tensor]
    arch: str
    size: int
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    classes: tuple[str, ...] = ()
    provenance: Provenance = NOT_KNOWN
    name: str = ""
    crops: tuple[float, ...] = ()
    frame: Frame | None = None
    licence: str = ""

    def __post_init__(self) -> None:
        """The architecture's usual normalisation, where none was given."""
        if not (self.mean and self.std):
            with suppress(UserError):  # it is refused when it is checked
                object.__setattr__(self, "mean", self.mean or backbone(self.arch).mean)
                object.__setattr__(self, "std", self.std or backbone(self.arch).std)

    @cached_property
    def identity(self) -> str:
        """16 hex digits of SHA-256 over the normalisation and the tensors' names, types, shapes and values, in the order of the names.

        And over the config of an architecture that has one, and the frame: other vectors may come of the same tensors.
        """
        digest = hashlib.sha256(f"{self.mean} {self.std}\n".encode())
        if "{" in self.arch or self.frame is not None:
            digest.update(f"{self.arch} {self.frame}\n".encode())
        for name in sorted(self.tensors):
            tensor = self.tensors[name].detach().contiguous()
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()[:16]

    @property
    def synthetic(self) -> bool:
        """Whether the synthetic shop had a part in them."""
        return self.provenance.synthetic

    def as_parent(self, alpha: float = 1.0) -> Parent:
        """Themselves in the record of weights that come of them; alpha: their part in a mix."""
        last = self.provenance.last
        return Parent(last.key if last else "", self.name, self.identity, alpha)

    def headless(self) -> Weights:
        """The same without the head."""
        tensors = {name: tensor for name, tensor in self.tensors.items() if name not in head_names(self.arch)}
        return replace(self, tensors=tensors, classes=())


def read_weights(spec: str | Path) -> Weights:
    """Weights by name or place, checked: "imagenet", "imagenet-lite2", "none" (fresh resnet18), a run folder, a .safetensors, .pth or .pt
    file, a folder as timm, open_clip or transformers write it, a network of timm's by name (its published weights, if they are here).

    Files of others may have torchvision's or timm's names, be wrapped ("state_dict", "model", "module.") and lack metadata:
    the architecture is then found from names and shapes, the rest is ImageNet's. Only tensors are read, never pickled code.
    Raises UserError that names the place and what differs.
    """
    name = str(spec)
    if name in foreign.PACKAGES:
        arch, source = foreign.PACKAGES[name], of_imagenet(foreign.package_of(name))
        tensors = foreign.imagenet_tensors(name)
        return _checked(Weights(tensors, arch, backbone(arch).size, classes=_numbers(1000), provenance=source, licence="Apache-2.0"), name)
    if name == "none":
        return fresh(NONE_ARCH, NONE_SIZE, 0)
    path = Path(name.removeprefix(folders.LOCAL))
    if not path.exists():
        return _published(name)
    if path.is_dir():
        if not (path / FILE).exists():
            return _of_others(folders.read_folder(path), path, path.absolute().name)
        path = path / FILE
    tensors, metadata = read_tensors(path)
    name = path.parent.name if path.name == FILE and path.absolute().parent.name else path.stem
    if "arch" not in metadata:
        return _foreign(tensors, path, name)
    return _checked(_described(tensors, metadata, path, name), path)


def write_weights(path: Path, weights: Weights) -> None:
    """Write a .safetensors with the metadata, whole or not at all. What is written is checked first, as when it is read."""
    _checked(weights, path)
    metadata = {
        "version": str(VERSION),
        "name": weights.name,
        "arch": weights.arch,
        **{name: json.dumps(getattr(weights, name), ensure_ascii=False) for name in ("size", "crops", "mean", "std", "classes")},
        **({"frame": json.dumps(to_json(weights.frame))} if weights.frame else {}),
        **({"licence": weights.licence} if weights.licence else {}),
        "provenance": json.dumps(weights.provenance.as_json(), ensure_ascii=False),
    }
    with replacing(Path(path)) as temporary:
        temporary.touch()
        usual = temporary.stat().st_mode  # as the umask says; safetensors writes files that nobody else may read
        save_file({name: tensor.contiguous() for name, tensor in weights.tensors.items()}, temporary, metadata)
        temporary.chmod(usual)


@cache
def known_weights(spec: str) -> Weights:
    """`read_weights`, each once a process: for who asks for the same ones again and again."""
    return read_weights(spec)


def load_encoder(
    spec: str | Path | Weights, *, size: int | None = None, crops: tuple[float, ...] | None = None, device: str | torch.device = "cpu"
) -> Encoder:
    """The encoder of some weights, in eval mode on `device`. size, crops: image side in pixels and shares of it, if not the weights' own.

    Raises UserError when the network needs larger images.
    """
    weights = spec if isinstance(spec, Weights) else read_weights(spec)
    check_size(weights.arch, size or weights.size)
    network = empty(weights.arch)
    network.load_state_dict(dict(weights.headless().tensors), strict=True)
    encoder = Encoder(
        network,
        weights.arch,
        size or weights.size,
        crops=crops or weights.crops or WHOLE,
        mean=weights.mean,
        std=weights.std,
        name=weights.name,
        identity=weights.identity,
        synthetic=weights.synthetic,
        frame=weights.frame,
    )
    return encoder.to(device).eval()


def fresh(arch: str, size: int, seed: int) -> Weights:
    """Random weights: the start called "none". size: image side in pixels; the network's usual one where it cannot see such images."""
    network = build(arch, seed=torch.Generator().manual_seed(seed))
    return Weights(network.state_dict(), arch, usual_size(arch, size), provenance=Provenance(), name="none")


def weights_of(
    encoder: Encoder,
    *,
    head: nn.Linear | None = None,
    classes: tuple[str, ...] = (),
    provenance: Provenance,
    name: str = "",
) -> Weights:
    """The weights of an encoder as it is now, copied to the CPU, with a head (a Linear with a bias, one output a class) or without."""
    assert (head is None) == (not classes), "a head and its classes come together"
    tensors = dict(encoder.network.state_dict())
    if head is not None:
        tensors |= dict(zip(head_names(encoder.arch), (head.weight, head.bias), strict=True))
    copies = {key: tensor.detach().to("cpu", copy=True).contiguous() for key, tensor in tensors.items()}
    return Weights(copies, encoder.arch, encoder.size, encoder.mean, encoder.std, classes, provenance, name, frame=encoder.frame)


def _published(name: str) -> Weights:
    """Those of a network of timm's, by its name. Raises UserError when it has none of that name, or they are not here."""
    bare = name.removeprefix("hf-hub:").removeprefix("timm/").removeprefix("timm:")
    known = timm_networks.names()
    if bare.partition(".")[0] in known:
        return _of_others(timm_networks.pretrained(bare), name, bare)
    if os.sep in name or Path(name).suffix in (".safetensors", ".pth", ".pt", ".bin") or name.startswith(folders.LOCAL):
        raise UserError("no such weights", name, "Give a run folder, a .safetensors or .pth file, `imagenet` or `none`")
    raise UserError("no such weights, nor a network of timm's", name, nearest(name, [*foreign.PACKAGES, "none", *known]))


def _of_others(foreign: ForeignNetwork, where: str | Path, name: str) -> Weights:
    """Weights of others, looked at through the crop that their own files say; how they came about is not known."""
    weights = Weights(
        foreign.tensors,
        foreign.arch,
        foreign.size,
        foreign.mean,
        foreign.std,
        foreign.classes,
        NOT_KNOWN,
        name,
        crops=WHOLE,
        frame=foreign.frame,
        licence=foreign.licence,
    )
    return _checked(weights, where)


def _described(tensors: dict[str, Tensor], metadata: dict[str, str], path: Path, name: str) -> Weights:
    """Weights from a file of ours, by its metadata."""
    try:
        version = int(metadata["version"])
        if version != VERSION:
            newer = version > VERSION
            message = f"written by {'a newer' if newer else 'an older'} version ({version}, not {VERSION})"
            raise UserError(message, path, "Update the package" if newer else "Make them again")
        return Weights(
            tensors,
            metadata["arch"],
            int(metadata["size"]),
            tuple(json.loads(metadata["mean"])),
            tuple(json.loads(metadata["std"])),
            tuple(json.loads(metadata["classes"])),
            Provenance.read(json.loads(metadata["provenance"]), path),
            metadata["name"] or name,
            tuple(map(float, json.loads(metadata["crops"]))),
            from_json(Frame, json.loads(metadata["frame"]), path) if "frame" in metadata else None,
            metadata.get("licence", ""),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(f"its metadata is incomplete or broken ({error!r})", path, "Write the file again") from None


def _foreign(tensors: dict[str, Tensor], path: Path, name: str) -> Weights:
    """Weights from a file that says nothing about itself."""
    arch, tensors = foreign.recognise(tensors, path)
    head = tensors.get(head_names(arch)[0])
    classes = _numbers(len(head)) if head is not None else ()
    return _checked(Weights(tensors, arch, backbone(arch).size, classes=classes, provenance=NOT_KNOWN, name=name), path)


def _checked(weights: Weights, where: str | Path) -> Weights:
    """The weights, given a name if they lack one, if the tensors are exactly the architecture's; else UserError with what differs."""
    _check_arch(weights.arch, where)
    if weights.size < 1 or not len(weights.mean) == len(weights.std) == 3 or min(weights.std) <= 0:
        raise UserError(f"size {weights.size}, mean {weights.mean} and std {weights.std} make no sense", where, "Write the file again")
    if weights.crops:
        checked(weights.crops, where)
    check_size(weights.arch, weights.size)
    expected = dict(expected_shapes(weights.arch))
    if weights.classes:
        weight, bias = head_names(weights.arch)
        expected |= {weight: (len(weights.classes), backbone(weights.arch).dim), bias: (len(weights.classes),)}
    differs = difference(weights.tensors, expected)
    if differs:
        raise UserError(f"not the weights of {called(weights.arch)}: {differs}", where, "Give weights of that architecture")
    for name, tensor in weights.tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise UserError(f"{name} holds values that are not finite", where, "Training has diverged; take an earlier checkpoint")
    return weights if weights.name else replace(weights, name=str(where))


def _check_arch(arch: str, where: str | Path) -> None:
    """Raise UserError, which names the file, for an architecture that nobody knows, or whose library is missing."""
    try:
        backbone(arch)
    except UserError as error:
        raise UserError(error.message, error.where or where, error.remedy, argument=error.argument) from None


def _numbers(n: int) -> tuple[str, ...]:
    return tuple(map(str, range(n)))
