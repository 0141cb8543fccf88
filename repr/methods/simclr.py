"""SimCLR: two views of an image attract each other, all other images of the batch repel.

Chen, Kornblith, Norouzi, Hinton 2020, https://arxiv.org/abs/2002.05709. With `decoupled` the positive pair leaves the
denominator (Yeh et al. 2021, Decoupled Contrastive Learning, https://arxiv.org/abs/2110.06848, equation 6), which helps
small batches. Losses and head are lightly's.
"""

from __future__ import annotations

import math

from lightly.loss import DCLLoss, NTXentLoss
from torch import Tensor, nn

from repr.images.views import Views
from repr.methods import heads
from repr.methods.method import Method, in_float32
from repr.methods.recipe import Recipe
from repr.methods.settings import SimCLRSettings
from repr.models.encoder import Encoder


class SimCLR(Method):
    """temperature: 0.1 (the paper's best, table 5). decoupled: DCL instead of NT-Xent. Negatives come from all processes."""

    # lightly benchmarks/imagenet/resnet50/simclr.py: LARS, 0.075 sqrt(B) = 1.2 at B = 256, decay 1e-6, 10 epochs of warm-up.
    # From weights: a fifteenth of it, ours: from ImageNet 0.04 at 64 images is the best of 0.0133, 0.04 and 0.12 (simclr-rates.toml).
    recipe = Recipe("lars", lr=1.2, lr_from_weights=0.08, lr_rule="sqrt", weight_decay=1e-6, warmup=10)

    def __init__(self, encoder: Encoder, classes: int, make_views: Views, settings: SimCLRSettings) -> None:
        super().__init__(encoder, classes, make_views, settings)
        self.head = heads.simclr(encoder.dim)
        self.criterion: nn.Module = (DCLLoss if settings.decoupled else NTXentLoss)(
            temperature=settings.temperature, gather_distributed=True
        )
        self.decoupled = settings.decoupled

    def loss(self, views: tuple[Tensor, ...], labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """NT-Xent (or DCL) of the two views' projections (b, 128). labels are not read."""
        features = [self.encoder(view) for view in views]
        first, second = (self.head(feature).float() for feature in features)
        with in_float32(first):
            loss = self.criterion(first, second)
        return loss, {"features": features[0].detach()}

    def trivial(self, batch_size: int, shares: Tensor | None = None) -> float:
        """All similarities equal: log of the number of terms in the denominator."""
        return math.log(2 * batch_size - 2) if self.decoupled else math.log(2 * batch_size - 1)
