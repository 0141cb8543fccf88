"""Sizes of projection heads, scaled to the backbone: lightly's benchmarks are for ResNet-50, whose features have 2048 numbers."""

from __future__ import annotations

from lightly.models.modules.heads import (
    BYOLPredictionHead,
    BYOLProjectionHead,
    MoCoProjectionHead,
    SimCLRProjectionHead,
    VICRegProjectionHead,
)
from torch import nn


def projector_mlp(dim: int) -> nn.Module:
    """A two-layer MLP dim → dim, batch norm and ReLU in between, batch norm after: SimCLR's head kept at the features' width.

    Wang et al. 2022 (arXiv 2112.00496, section 4) use hidden and output widths of 2048 and more on ResNet-50's 2048.
    """
    head: nn.Module = SimCLRProjectionHead(dim, dim, dim)
    return head


def simclr(dim: int) -> nn.Module:
    """dim → dim → 128, batch norm after both layers: 2048-2048-128 for ResNet-50 (lightly benchmarks/imagenet/resnet50/simclr.py)."""
    head: nn.Module = SimCLRProjectionHead(dim, dim, 128)
    return head


def moco(dim: int) -> nn.Module:
    """dim → dim → 128 without batch norm: 2048-2048-128 for ResNet-50 (MoCo v2; SupCon's head is the same)."""
    head: nn.Module = MoCoProjectionHead(dim, dim, 128)
    return head


def byol(dim: int) -> tuple[nn.Module, nn.Module]:
    """Projector dim → 2 dim → 256 and predictor 256 → 2 dim → 256: 2048-4096-256 for ResNet-50 (BYOL, section 3.3)."""
    return BYOLProjectionHead(dim, 2 * dim, 256), BYOLPredictionHead(256, 2 * dim, 256)


def vicreg(dim: int) -> nn.Module:
    """dim → 4 dim → 4 dim, two layers: 2048-8192-8192 for ResNet-50 (lightly benchmarks/imagenet/resnet50/vicreg.py).

    The paper has three layers.
    """
    head: nn.Module = VICRegProjectionHead(dim, 4 * dim, 4 * dim, num_layers=2)
    return head
