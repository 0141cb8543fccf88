"""VICReg: two views agree, every number of the embedding varies, no two numbers say the same.

Bardes, Ponce, LeCun 2022, https://arxiv.org/abs/2105.04906. Loss and head are lightly's.
"""

from __future__ import annotations

import math

from lightly.loss import VICRegLoss
from torch import Tensor

from repr.methods import heads
from repr.methods.method import Method, Recipe, in_float32
from repr.models.encoder import Encoder
from repr.pictures.views import Views


class VICReg(Method):
    """25 · invariance + 25 · variance + 1 · covariance; statistics over the batch of all processes."""

    # lightly benchmarks/imagenet/resnet50/vicreg.py: LARS, decay 1e-6, 10 epochs of warm-up, ends at 1 %. Its base rates of 0.8, 0.5, 0.4
    # times B/256 at B = 128, 256, 512 (paper, section C.4) make 0.4, 0.5, 0.8: the root of B within 12 %. We keep to the root, where
    # lightly falls to a base of 0.3 at any other B. From weights: a fifth, ours: with all of it the start is forgotten within the warm-up.
    recipe = Recipe("lars", lr=0.5, lr_from_weights=0.1, lr_rule="sqrt", weight_decay=1e-6, warmup=10, final=0.01)

    def __init__(self, encoder: Encoder, classes: int, make_views: Views) -> None:
        super().__init__(encoder, classes, make_views)
        self.head = heads.vicreg(encoder.dim)
        self.criterion = VICRegLoss(gather_distributed=True)

    def loss(self, views: tuple[Tensor, ...], labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum over the two views' embeddings (b, 4 dim), which are not normalised."""
        features = [self.encoder(view) for view in views]
        first, second = (self.head(feature).float() for feature in features)
        with in_float32(first):
            loss = self.criterion(first, second)
        return loss, {"features": features[0].detach()}

    def trivial(self, batch_size: int, shares: Tensor | None = None) -> float:
        """All embeddings the same: the variance term alone, 25 (1 - sqrt(0 + epsilon)) = 24.75 (equation 1)."""
        return float(self.criterion.mu_param * (1 - math.sqrt(self.criterion.eps)))
