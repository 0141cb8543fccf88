"""The networks: torchvision's ResNets, VGG-19 and Inception-v3 and timm's EfficientNet-Lite0, with their libraries' own parameter names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import nn

from repr.errors import UserError, nearest
from repr.machine import calm_after_fork

calm_after_fork(torch.set_num_threads)

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # torchvision.transforms._presets.ImageClassification
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Backbone:
    """One network: its library, the width of its pooled features, the name of its head, its usual image size.

    least: pixels a side that its layers need. mean, std: the normalisation of images in 0..1 that its published weights were trained
    with, which is not the same for all. depthwise: whether most of its convolutions are depthwise, which are slow to train in
    bfloat16 on a CPU.
    """

    library: str
    dim: int
    head: str
    size: int
    least: int = 16
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    depthwise: bool = False


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
}


def backbone(arch: str) -> Backbone:
    """The entry of an architecture. Raises UserError that offers the nearest name when there is none."""
    if arch not in BACKBONES:
        raise UserError(f"no such architecture: {arch}", "", nearest(arch, BACKBONES))
    return BACKBONES[arch]


def check_size(arch: str, size: int) -> None:
    """Raise UserError when the network cannot see images of `size` pixels a side."""
    least = backbone(arch).least
    if size < least:
        raise UserError(f"{arch} needs images of {least} px at least, not {size}", "", f"Give {least} or more", argument="size")


def build(arch: str, classes: int = 0, *, seed: torch.Generator | None = None) -> nn.Module:
    """A network with random weights: (b, 3, s, s) → (b, classes), or → (b, dim) when classes is 0 and the head an Identity.

    seed: generator that the initialisation follows; without one, torch's global generator. It leaves the global state alone.
    Raises UserError for an unknown architecture and when timm is needed and missing.
    """
    if seed is None:
        return _build(arch, classes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**62, (), generator=seed, device=seed.device)))
        return _build(arch, classes)


def empty(arch: str) -> nn.Module:
    """The network without its head on the CPU, its tensors not filled: for weights that are loaded into it at once."""
    with torch.device("meta"):
        network = _build(arch, 0)
    return network.to_empty(device="cpu")


def _build(arch: str, classes: int) -> nn.Module:
    entry = backbone(arch)
    network: nn.Module
    if entry.library == "torchvision":
        import torchvision

        # Inception: without the auxiliary head; its published weights expect the other normalisation, which transform_input makes.
        options = {"aux_logits": False, "transform_input": True, "init_weights": True} if arch == "inception_v3" else {}
        network = getattr(torchvision.models, arch)(weights=None, num_classes=max(classes, 1), **options)
        if not classes:
            network.set_submodule(entry.head, nn.Identity())
    else:
        try:
            import timm
        except ModuleNotFoundError:
            raise UserError(f"{arch} needs the package timm", "", "Install it with `pip install 'product-repr[imagenet]'`") from None
        network = timm.create_model(arch, pretrained=False, num_classes=classes)
    return network


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
