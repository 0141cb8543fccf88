"""The network that finds products: torchvision's FCOS (Tian, Shen, Chen, He, arXiv 1904.01355) on one of our backbones.

One-stage and without anchors, so that nothing is matched to shapes that were guessed: every point of three strides says whether it lies in
a product, how near to its middle, and how far its four edges are. One class, "a product", unless more are named.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torchvision.models.detection import FCOS
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.fcos import FCOSHead
from torchvision.ops import FeaturePyramidNetwork

from repr.errors import UserError
from repr.models.backbones import backbone, build

STRIDES = (8, 16, 32)  # pixels; products of 64 and 128 pixels are where one hands over to the next
STEM, STAGES = ("conv1", "bn1", "relu", "maxpool", "layer1"), ("layer2", "layer3", "layer4")  # of torchvision's ResNets


@dataclass(frozen=True)
class Build:
    """What a network is made of. side: pixels of the square that it sees; channels, convs: of its pyramid and of each head; classes: ids
    of products, () for one class of all; mean, std: normalisation of pixels in 0..1."""

    arch: str
    side: int
    channels: int
    convs: int
    classes: tuple[str, ...] = ()
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)


def points(side: int) -> Tensor:
    """(n, 4) x0, y0, x1, y1: the square of a stride's size around each point of each stride, row by row, as FCOS has them."""
    centres = []
    for stride in STRIDES:
        steps = torch.arange(0, side, stride, dtype=torch.float32)
        y, x = torch.meshgrid(steps, steps, indexing="ij")
        middles = torch.stack([x, y, x, y], -1).reshape(-1, 4)
        centres.append(middles + torch.tensor([-stride, -stride, stride, stride]) / 2)
    return torch.cat(centres)


class Finder(nn.Module):
    """Squares (b, side, side, 3) uint8 → boxes (b, n, 4) x0, y0, x1, y1 in their pixels and scores (b, n, classes) in 0..1, of n points."""

    anchors: Tensor
    shift: Tensor
    scale: Tensor

    def __init__(self, made: Build) -> None:
        """Raises UserError for a backbone that has no stages to take."""
        super().__init__()
        self.made = made
        self.sizes = [(made.side // stride) ** 2 for stride in STRIDES]
        generator = AnchorGenerator(tuple((stride,) for stride in STRIDES), ((1.0,),) * len(STRIDES))
        stages = Stages(made.arch, made.channels)
        classes = max(1, len(made.classes))
        head = FCOSHead(made.channels, 1, classes, made.convs)
        # torchvision cuts distances to edges off at 0 where the paper has exp(x), and starts them around 0: a first step of Adam's then
        # leaves all of them at 0, where no gradient is. They start at a stride, as the paper's do.
        nn.init.ones_(head.regression_head.bbox_reg.bias)
        self.fcos = FCOS(stages, classes, anchor_generator=generator, head=head)
        self.register_buffer("anchors", points(made.side), persistent=False)
        self.register_buffer("shift", torch.tensor(made.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(made.std).view(1, 3, 1, 1), persistent=False)

    def outputs(self, pixels: Tensor) -> dict[str, Tensor]:
        """What the heads say of pixels (b, 3, side, side) in 0..1: (b, n, ·) each."""
        features = self.fcos.backbone((pixels - self.shift) / self.scale)
        outputs: dict[str, Tensor] = self.fcos.head(list(features.values()))
        return outputs

    def losses(self, outputs: Mapping[str, Tensor], boxes: Sequence[Tensor], labels: Sequence[Tensor]) -> dict[str, Tensor]:
        """FCOS's three losses of outputs in float32. boxes: (m, 4) x0, y0, x1, y1 of each image; labels: (m,) int64."""
        targets = [{"boxes": box, "labels": label} for box, label in zip(boxes, labels, strict=True)]
        losses: dict[str, Tensor] = self.fcos.compute_loss(targets, dict(outputs), [self.anchors] * len(targets), self.sizes)
        return losses

    def forward(self, squares: Tensor) -> tuple[Tensor, Tensor]:
        """See the class. The score is the geometric mean of the class's probability and of the point's nearness to the middle."""
        outputs = self.outputs(squares.permute(0, 3, 1, 2).float() / 255)
        boxes = self.fcos.head.box_coder.decode(outputs["bbox_regression"], self.anchors.expand(len(squares), -1, -1))
        return boxes, torch.sqrt(outputs["cls_logits"].sigmoid() * outputs["bbox_ctrness"].sigmoid())


class Stages(nn.Module):
    """A backbone's features at STRIDES through a pyramid (Lin et al., arXiv 1612.03144): what FCOS calls its backbone."""

    def __init__(self, arch: str, channels: int) -> None:
        super().__init__()
        self.body = build(arch)
        self.places: list[int] = []
        if all(hasattr(self.body, name) for name in ("layer1", "layer4", "maxpool")):
            widths = [backbone(arch).dim // 2**n for n in (2, 1, 0)]
        else:
            widths = self._of_timm(arch)
        self.fpn = FeaturePyramidNetwork(widths, channels)
        self.out_channels = channels

    def _of_timm(self, arch: str) -> list[int]:
        """The widths of the stages that timm describes."""
        known = list(getattr(self.body, "feature_info", []))
        self.places = [place for place, one in enumerate(known) if one["reduction"] in STRIDES]
        if len(self.places) != len(STRIDES) or not hasattr(self.body, "forward_intermediates"):
            lack = "has no stages of strides 8, 16 and 32"
            raise UserError(f"{arch} {lack}, which a detector needs", "", "Choose a ResNet, or an EfficientNet of timm's", argument="arch")
        return [int(known[place]["num_chs"]) for place in self.places]

    def forward(self, pixels: Tensor) -> OrderedDict[str, Tensor]:
        """(b, 3, s, s) → a map (b, channels, s / stride, s / stride) a stride."""
        if self.places:
            staged = cast(Callable[..., list[Tensor]], self.body.forward_intermediates)
            stages = staged(pixels, indices=self.places, intermediates_only=True)
        else:
            stages, x = [], pixels
            for name in (*STEM, *STAGES):
                x = self.body.get_submodule(name)(x)
                stages += [x] if name in STAGES else []
        levels: OrderedDict[str, Tensor] = self.fpn(OrderedDict(zip(map(str, STRIDES), stages, strict=True)))
        return levels
