"""Weights files: one reader for all kinds, one writer, strict about what is in them.

A file of ours is a .safetensors with the library's parameter names; its metadata says what it needs to be used:
version, arch, size, crops, mean, std, classes, method, trained_on, recipe, synthetic.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from repr.crops import WHOLE, checked
from repr.errors import UserError, nearest
from repr.files import replacing
from repr.models import foreign
from repr.models.backbones import BACKBONES, backbone, build, check_size, empty, expected_shapes, head_names
from repr.models.encoder import Encoder

VERSION = 2  # of files with crops, which an older reader would look past; others are of version 1
FILE = "weights.safetensors"  # in a run folder
NONE_ARCH, NONE_SIZE = "resnet18", 64  # what "none" means where nothing else is said


@dataclass(frozen=True)
class Weights:
    """Tensors with the library's names, on the CPU, and what must be known to use them.

    tensors: the backbone's, and the head's two when `classes` (its outputs, in order) is not empty; size: image side in
    pixels; crops: the shares of it that are embedded (`repr.crops`), empty where nothing was said; mean, std: normalisation of
    images in 0..1, by default the architecture's usual; method, trained_on: how and on what they were made; recipe: start,
    epochs, image size and views of the last training; synthetic: whether the synthetic shop was part of any; name: for tables.
    """

    tensors: Mapping[str, Tensor]
    arch: str
    size: int
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    classes: tuple[str, ...] = ()
    method: str = ""
    trained_on: str = ""
    recipe: str = ""
    synthetic: bool = False
    name: str = ""
    crops: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """The architecture's usual normalisation, where none was given."""
        if self.arch in BACKBONES:  # else it is refused when it is checked
            object.__setattr__(self, "mean", self.mean or backbone(self.arch).mean)
            object.__setattr__(self, "std", self.std or backbone(self.arch).std)

    @cached_property
    def identity(self) -> str:
        """16 hex digits of SHA-256 over the normalisation and the tensors' names, types, shapes and values, in the order of the names."""
        digest = hashlib.sha256(f"{self.mean} {self.std}\n".encode())
        for name in sorted(self.tensors):
            tensor = self.tensors[name].detach().contiguous()
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()[:16]

    @property
    def sources(self) -> frozenset[str]:
        """Names of the data in `trained_on`, which are joined by + in a union and by an arrow from one training to the next."""
        return frozenset(name.strip() for name in re.split(r"[+→]", self.trained_on) if name.strip())

    def headless(self) -> Weights:
        """The same without the head."""
        tensors = {name: tensor for name, tensor in self.tensors.items() if name not in head_names(self.arch)}
        return replace(self, tensors=tensors, classes=())


def read_weights(spec: str | Path) -> Weights:
    """Weights by name or place, checked: "imagenet", "none" (fresh resnet18), a run folder, a .safetensors, .pth or .pt file.

    Files of others may have torchvision's or timm's names, be wrapped ("state_dict", "model", "module.") and lack metadata:
    the architecture is then found from names and shapes, the rest is ImageNet's. Only tensors are read, never pickled code.
    Raises UserError that names the place and what differs.
    """
    if str(spec) == "imagenet":
        tensors = foreign.imagenet_tensors()
        size = backbone(foreign.LITE).size
        return _checked(
            Weights(tensors, foreign.LITE, size, classes=_numbers(1000), method="supervised", trained_on="ImageNet-1k"), "imagenet"
        )
    if str(spec) == "none":
        return fresh(NONE_ARCH, NONE_SIZE, 0)
    path = Path(spec)
    if not path.exists():
        raise UserError("no such weights", path, "Give a run folder, a .safetensors or .pth file, `imagenet` or `none`")
    if path.is_dir():
        if not (path / FILE).exists():
            raise UserError(f"no {FILE} in this folder", path, "Give the run folder of a finished `repr pretrain`, or a weights file")
        path = path / FILE
    tensors, metadata = foreign.read_tensors(path)
    name = path.parent.name if path.name == FILE and path.absolute().parent.name else path.stem
    if "arch" not in metadata:
        return _foreign(tensors, path, name)
    return _checked(_described(tensors, metadata, path, name), path)


def write_weights(path: Path, weights: Weights) -> None:
    """Write a .safetensors with the metadata, whole or not at all. What is written is checked first, as when it is read."""
    from safetensors.torch import save_file

    _checked(weights, path)
    metadata = {
        "version": str(1 if weights.crops in ((), WHOLE) else VERSION),
        "arch": weights.arch,
        "size": str(weights.size),
        **({"crops": json.dumps(weights.crops)} if weights.crops else {}),
        "mean": json.dumps(weights.mean),
        "std": json.dumps(weights.std),
        "classes": json.dumps(weights.classes, ensure_ascii=False),
        "method": weights.method,
        "trained_on": weights.trained_on,
        "recipe": weights.recipe,
        "synthetic": json.dumps(weights.synthetic),
        "name": weights.name,
    }
    with replacing(Path(path)) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in weights.tensors.items()}, temporary, metadata)


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
    )
    return encoder.to(device).eval()


def fresh(arch: str, size: int, seed: int) -> Weights:
    """Random weights: the start called "none"."""
    network = build(arch, seed=torch.Generator().manual_seed(seed))
    return Weights(network.state_dict(), arch, size, method="none", name="none")


def weights_of(
    encoder: Encoder,
    *,
    head: nn.Linear | None = None,
    classes: tuple[str, ...] = (),
    method: str,
    trained_on: str,
    recipe: str = "",
    synthetic: bool,
    name: str = "",
) -> Weights:
    """The weights of an encoder as it is now, copied to the CPU, with a head (a Linear with a bias, one output a class) or without."""
    assert (head is None) == (not classes), "a head and its classes come together"
    tensors = dict(encoder.network.state_dict())
    if head is not None:
        tensors |= dict(zip(head_names(encoder.arch), (head.weight, head.bias), strict=True))
    copies = {key: tensor.detach().to("cpu", copy=True).contiguous() for key, tensor in tensors.items()}
    return Weights(copies, encoder.arch, encoder.size, encoder.mean, encoder.std, classes, method, trained_on, recipe, synthetic, name)


def mix(a: Weights, b: Weights, alpha: float) -> Weights:
    """Weights between two of one architecture: (1 - alpha) a + alpha b (WiSE-FT, Wortsman et al., CVPR 2022, equation 1).

    Batch-norm statistics are interpolated too; `reestimate_batchnorm` measures them anew. The head is kept only when both have
    the same classes. Image size: the larger one; crops: those of `a`, else of `b`. Raises UserError when
    architecture or normalisation differ, or alpha is not in 0..1.
    """
    if not 0 <= alpha <= 1:
        raise UserError(f"a alpha of {alpha}", "", "Give a number from 0 (all of the first) to 1 (all of the second)", argument="alpha")
    if a.arch != b.arch:
        raise UserError(f"cannot mix {a.arch} with {b.arch}", f"{a.name}, {b.name}", "Mix weights of one architecture")
    if a.mean != b.mean or a.std != b.std:
        raise UserError("the two normalise images differently", f"{a.name}, {b.name}", "Mix weights that alpha a start")
    if a.classes != b.classes:
        a, b = a.headless(), b.headless()
    return Weights(
        _between(a.tensors, b.tensors, alpha),
        a.arch,
        max(a.size, b.size),
        a.mean,
        a.std,
        a.classes,
        method=f"{1 - alpha:g} {a.name} + {alpha:g} {b.name}",
        trained_on=" + ".join(dict.fromkeys(filter(None, (a.trained_on, b.trained_on)))),
        recipe="; ".join(f"{weights.name}: {weights.recipe}" for weights in (a, b) if weights.recipe),
        synthetic=a.synthetic or b.synthetic,
        name=f"{a.name}+{alpha:g} {b.name}",
        crops=a.crops or b.crops,
    )


def between(a: Encoder, b: Encoder, alpha: float) -> Encoder:
    """`mix` of two encoders of one architecture in memory: a copy of `a` whose network is (1 - alpha) a + alpha b."""
    assert a.arch == b.arch and 0 <= alpha <= 1
    mixed = copy.deepcopy(a)
    theirs = {name: tensor.to(next(a.parameters()).device) for name, tensor in b.network.state_dict().items()}
    mixed.network.load_state_dict(_between(a.network.state_dict(), theirs, alpha))
    return mixed


def _between(a: Mapping[str, Tensor], b: Mapping[str, Tensor], alpha: float) -> dict[str, Tensor]:
    return {name: torch.lerp(value, b[name], alpha) if value.is_floating_point() else value.clone() for name, value in a.items()}


def reestimate_batchnorm(weights: Weights, batches: Iterable[Tensor], *, device: str | torch.device = "cpu") -> Weights:
    """The same weights with batch-norm means and variances measured on images: (b, h, h, 3) uint8 batches, seen as they are
    embedded, in all crops.

    The statistics are the plain averages over the batches (as in stochastic weight averaging, Izmailov et al., UAI 2018,
    section 3.2), so give batches of one size. Raises UserError when there are no images, or one in a batch.
    """
    encoder = load_encoder(weights, device=device)
    norms = [module for module in encoder.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average
        norm.train()
    seen = 0
    with torch.inference_mode():
        for batch in batches:
            if norms and len(batch) == 1:
                raise UserError("one image has no batch statistics to measure", weights.name, "Give two training images or more")
            encoder.forward(torch.cat(encoder.centre_crops(batch.to(device))))  # at once: the variance between crops is part of it
            seen += len(batch)
    if norms and not seen:
        raise UserError("no images to measure batch-norm statistics on", weights.name, "Give training images with `data`")
    measured = {name: tensor.to("cpu", copy=True) for name, tensor in encoder.network.state_dict().items()}
    return replace(weights, tensors={**weights.tensors, **measured})


def _described(tensors: dict[str, Tensor], metadata: dict[str, str], path: Path, name: str) -> Weights:
    """Weights from a file of ours, by its metadata."""
    try:
        version = int(metadata.get("version", 0))
        if version > VERSION:
            raise UserError(f"written by a newer version ({version} > {VERSION})", path, "Update the package")
        return Weights(
            tensors,
            metadata["arch"],
            int(metadata["size"]),
            tuple(json.loads(metadata["mean"])),
            tuple(json.loads(metadata["std"])),
            tuple(json.loads(metadata["classes"])),
            metadata["method"],
            metadata["trained_on"],
            metadata.get("recipe", ""),  # files of before 2026-11-21 have none
            bool(json.loads(metadata["synthetic"])),
            metadata.get("name") or name,
            tuple(map(float, json.loads(metadata["crops"]))) if "crops" in metadata else (),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(f"its metadata is incomplete or broken ({error!r})", path, "Write the file again") from None


def _foreign(tensors: dict[str, Tensor], path: Path, name: str) -> Weights:
    """Weights from a file that says nothing about itself."""
    arch, tensors = foreign.recognise(tensors, path)
    head = tensors.get(head_names(arch)[0])
    classes = _numbers(len(head)) if head is not None else ()
    return _checked(Weights(tensors, arch, backbone(arch).size, classes=classes, name=name), path)


def _checked(weights: Weights, where: str | Path) -> Weights:
    """The weights, given a name if they lack one, if the tensors are exactly the architecture's; else UserError with what differs."""
    if weights.arch not in BACKBONES:
        raise UserError(f"no such architecture: {weights.arch}", where, nearest(weights.arch, BACKBONES))
    if weights.size < 1 or not len(weights.mean) == len(weights.std) == 3 or min(weights.std) <= 0:
        raise UserError(f"size {weights.size}, mean {weights.mean} and std {weights.std} make no sense", where, "Write the file again")
    if weights.crops:
        checked(weights.crops, where)
    check_size(weights.arch, weights.size)
    expected = dict(expected_shapes(weights.arch))
    if weights.classes:
        weight, bias = head_names(weights.arch)
        expected |= {weight: (len(weights.classes), backbone(weights.arch).dim), bias: (len(weights.classes),)}
    difference = foreign.difference(weights.tensors, expected)
    if difference:
        raise UserError(f"not the weights of {weights.arch}: {difference}", where, "Give weights of that architecture")
    for name, tensor in weights.tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise UserError(f"{name} holds values that are not finite", where, "Training has diverged; take an earlier checkpoint")
    return weights if weights.name else replace(weights, name=str(where))


def _numbers(n: int) -> tuple[str, ...]:
    return tuple(map(str, range(n)))
