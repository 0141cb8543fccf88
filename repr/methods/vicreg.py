"""VICReg: two views agree, every number of the embedding varies, no two numbers say the same.

Bardes, Ponce, LeCun 2022, https://arxiv.org/abs/2105.04906. Loss and head are lightly's, but for the covariance term, which is the same
number without the matrix. As in the authors' own code, the invariance is a mean over the numbers of an embedding too, where equation 5 of
the paper sums them, and the variance terms of the two views are halved, where equation 6 adds them.
"""

from __future__ import annotations

import math

import torch
from lightly.loss.vicreg_loss import covariance_loss, invariance_loss, variance_loss
from lightly.utils.dist import gather, world_size
from torch import Tensor

from repr.images.views import Views
from repr.methods import heads
from repr.methods.method import Method, in_float32
from repr.methods.recipe import Recipe
from repr.methods.settings import MethodSettings
from repr.models.encoder import Encoder

INVARIANCE, VARIANCE, COVARIANCE = 25.0, 25.0, 1.0  # weights, section 4.2 of the paper
EPSILON = 1e-4  # in the root of the variance, equation 1 and section 4.2


class VICReg(Method):
    """25 · invariance + 25 · variance + 1 · covariance; statistics over the batch of all processes."""

    # lightly benchmarks/imagenet/resnet50/vicreg.py: LARS, decay 1e-6, 10 epochs of warm-up, ends at 1 %. Its base rates of 0.8, 0.5, 0.4
    # times B/256 at B = 128, 256, 512 (paper, section C.4) make 0.4, 0.5, 0.8: the root of B within 12 %. We keep to the root, where
    # lightly falls to a base of 0.3 at any other B. From weights: a fifth, ours, 0.05 at 64 images: of 0.016, 0.05 and 0.15 (ImageNet's,
    # half mixed in) it was best from grocery to freiburg, and second by 0.7 points to 0.15 from freiburg to grocery, where 0.45 lost again.
    recipe = Recipe("lars", lr=0.5, lr_from_weights=0.1, lr_rule="sqrt", weight_decay=1e-6, warmup=10, final=0.01)

    def __init__(self, encoder: Encoder, classes: int, make_views: Views, settings: MethodSettings) -> None:
        super().__init__(encoder, classes, make_views, settings)
        self.head = heads.vicreg(encoder.dim)

    def loss(self, views: tuple[Tensor, ...], labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum over the two views' embeddings (b, 4 dim), which are not normalised."""
        features = [self.encoder(view) for view in views]
        first, second = (self.head(feature).float() for feature in features)
        with in_float32(first):
            loss = vicreg_loss(first, second)
        return loss, {"features": features[0].detach()}

    def trivial(self, batch_size: int, shares: Tensor | None = None) -> float:
        """All embeddings the same: the variance term alone, 25 (1 - sqrt(0 + epsilon)) = 24.75 (equation 1)."""
        return VARIANCE * (1 - math.sqrt(EPSILON))


def vicreg_loss(first: Tensor, second: Tensor) -> Tensor:
    """lightly's VICRegLoss of two views' embeddings (n, d), n > 1, where n < d without its d × d matrices. One row is a ValueError.

    64 rows of 5,120 numbers, forwards and backwards, take 8 ms instead of 1.9 s on two cores. Under distributed training the statistics are
    over the rows of all processes, which must have equally many.
    """
    if len(first) < 2 or first.shape != second.shape:
        raise ValueError(f"two views of at least two images are wanted, not {tuple(first.shape)} and {tuple(second.shape)}")
    invariance = invariance_loss(first, second)
    if world_size() > 1:
        first, second = torch.cat(gather(first)), torch.cat(gather(second))
    variance = (variance_loss(first, EPSILON) + variance_loss(second, EPSILON)) / 2
    loss: Tensor = INVARIANCE * invariance + VARIANCE * variance + COVARIANCE * (covariance(first) + covariance(second))
    return loss


def covariance(z: Tensor) -> Tensor:
    """The squares of the d × d covariance matrix of z (n, d) off its diagonal, summed and divided by d (equation 4), in n² d steps.

    With Z the centred rows, the squares of all of ZᵀZ sum up to those of ZZᵀ, as both are the trace of ZZᵀZZᵀ; those of the diagonal
    are subtracted (what rounding leaves of nothing may be below 0). Where there are no fewer rows than columns the matrix is the
    smaller way, and lightly's.
    """
    n, d = z.shape
    if n >= d:
        whole: Tensor = covariance_loss(z)
        return whole
    z = z - z.mean(dim=0)
    everything = (z @ z.T).square().sum()
    diagonal = z.square().sum(dim=0).square().sum()
    return (everything - diagonal) / (n - 1) ** 2 / d
