"""The networks: torchvision's and timm's that we know by heart, any other of timm's by name, and image towers by their config."""

from __future__ import annotations

from functools import cache, lru_cache

import torch
import torchvision
from torch import nn

from repr.errors import UserError, nearest
from repr.machine import calm_after_fork
from repr.models import open_clip_towers, timm_networks, transformers_towers
from repr.models.architecture import Backbone, Name, called, parsed

calm_after_fork(torch.set_num_threads)

# Known without loading their library. Others are described by it (`timm_networks`, `open_clip_towers`, `transformers_towers`).
BACKBONES = {
    "resnet18": Backbone("torchvision", 512, "fc", 224),
    "resnet34": Backbone("torchvision", 512, "fc", 224),
    "resnet50": Backbone("torchvision", 2048, "fc", 224),
    "resnet101": Backbone("torchvision", 2048, "fc", 224),
    "resnet152": Backbone("torchvision", 2048, "fc", 224),
    # MEP-3M's baselines beside ResNet-50. VGG's features are those of its second hidden layer.
    "vgg19": Backbone("torchvision", 4096, "classifier.6", 224, least=32),
    "inception_v3": Backbone("torchvision", 2048, "fc", 299, least=75),
    # Trained on ImageNet at 224; 160 costs half of that, and --size is there for more. Normalised as timm's configuration of it says: of
    # 259 images of grocery's fruit and vegetables that are ImageNet classes it names 66 % so, 46 % with ImageNet's mean and deviation.
    "tf_efficientnet_lite0": Backbone("timm", 1280, "classifier", 160, mean=(0.5,) * 3, std=(0.5,) * 3, depthwise=True),
    "tf_efficientnet_lite2": Backbone("timm", 1280, "classifier", 260, mean=(0.5,) * 3, std=(0.5,) * 3, depthwise=True),
}


@cache
def backbone(arch: str) -> Backbone:
    """What must be known of an architecture. Raises UserError that offers the nearest name when there is none."""
    if arch in BACKBONES:
        return BACKBONES[arch]
    name = parsed(arch)
    if name.library == "open_clip":
        return open_clip_towers.described(name.config)
    if name.library == "transformers":
        return transformers_towers.described(name.name, name.config)
    _check_known(name, arch)
    return timm_networks.described(name.name, name.config)


def usual_size(arch: str, size: int) -> int:
    """`size` where the network can see images of that side, else its own usual one."""
    try:
        check_size(arch, size)
    except UserError:
        return backbone(arch).size
    return size


def check_size(arch: str, size: int) -> None:
    """Raise UserError when the network cannot see images of `size` pixels a side."""
    entry, name = backbone(arch), called(arch)
    if size < entry.least:
        raise UserError(f"{name} needs images of {entry.least} px at least, not {size}", "", f"Give {entry.least} or more", argument="size")
    if entry.fixed and size != entry.size:
        raise UserError(f"{name} sees images of {entry.size} px alone, not {size}", "", f"Give {entry.size}", argument="size")
    if size % entry.step:
        below, above = size - size % entry.step, size + -size % entry.step
        near = f"{below} or {above}" if below >= entry.least else f"{above}"
        message = f"its patches of {entry.step} px do not divide images of {size}"
        raise UserError(f"{name}: {message}", "", f"Give {near}", argument="size")
    if arch not in BACKBONES and (reason := _blind(arch, size)):
        raise UserError(f"{name} cannot see images of {size} px ({reason})", "", f"Its own size is {entry.size}", argument="size")


@lru_cache(maxsize=64)
def _blind(arch: str, size: int) -> str:
    """Why a network fails at a size; "" where it does not. Without any numbers, on the meta device."""
    with torch.device("meta"), torch.no_grad():
        try:
            _build(arch, 0).eval()(torch.zeros((1, 3, size, size)))
        except (RuntimeError, AssertionError, ValueError, IndexError) as error:
            return str(error).partition("\n")[0] or type(error).__name__
    return ""


def build(arch: str, classes: int = 0, *, seed: torch.Generator | None = None) -> nn.Module:
    """A network with random weights: (b, 3, s, s) → (b, classes), or → (b, dim) when classes is 0 and the head an Identity.

    seed: generator that the initialisation follows; without one, torch's global generator. It leaves the global state alone.
    Raises UserError for an unknown architecture and when its library is missing.
    """
    if seed is None:
        return _build(arch, classes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**62, (), generator=seed, device=seed.device)))
        return _build(arch, classes)


def empty(arch: str) -> nn.Module:
    """The network without its head on the CPU, for tensors that are loaded into it at once: its own mean nothing."""
    if arch in BACKBONES:
        with torch.device("meta"):
            network = _build(arch, 0)
        return network.to_empty(device="cpu")
    with torch.random.fork_rng(devices=[]):  # others compute buffers that no file holds, such as rotary positions
        return _build(arch, 0)


def _build(arch: str, classes: int) -> nn.Module:
    network: nn.Module
    if arch in BACKBONES and BACKBONES[arch].library == "torchvision":
        # Inception: without the auxiliary head; its published weights expect the other normalisation, which transform_input makes.
        options = {"aux_logits": False, "transform_input": True, "init_weights": True} if arch == "inception_v3" else {}
        network = getattr(torchvision.models, arch)(weights=None, num_classes=max(classes, 1), **options)
        if not classes:
            network.set_submodule(BACKBONES[arch].head, nn.Identity())
        return network
    name = parsed(arch)
    if name.library == "open_clip":
        return open_clip_towers.network(name.config, classes)
    if name.library == "transformers":
        return transformers_towers.network(name.name, name.config, classes)
    _check_known(name, arch)
    return timm_networks.network(name.name, name.config, classes)


def _check_known(name: Name, arch: str) -> None:
    """Raise UserError with the nearest name when neither we nor timm know it; where timm is missing, when we do not."""
    known = timm_networks.names()
    if name.name.partition(".")[0] not in known and (known or name.name not in BACKBONES):
        raise UserError(f"no such architecture: {called(arch)}", "", nearest(called(arch), [*BACKBONES, *known]))


@cache
def expected_shapes(arch: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all tensors of an architecture without its head, in the library's order."""
    with torch.device("meta"):
        network = _build(arch, 0)
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def head_names(arch: str) -> tuple[str, str]:
    """Names of the head's weight (classes, dim) and bias (classes,)."""
    head = backbone(arch).head
    return f"{head}.weight", f"{head}.bias"
