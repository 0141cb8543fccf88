"""BYOL: a network predicts what its own slowly following average makes of another view; there are no negatives.

Grill et al. 2020, https://arxiv.org/abs/2006.07733. Heads and loss are lightly's.
"""

from __future__ import annotations

import copy
import math

import torch
from lightly.loss import NegativeCosineSimilarity
from lightly.models.utils import update_momentum
from torch import Tensor

from repr.images.views import Views
from repr.methods import heads
from repr.methods.method import Method, in_float32
from repr.methods.recipe import Recipe
from repr.methods.settings import MethodSettings
from repr.models.encoder import Encoder

MOMENTUM = 0.99  # at the start, rising to 1 along a cosine: lightly benchmarks/imagenet/resnet50/byol.py (100 epochs); 0.996 in the paper


class BYOL(Method):
    """Student, predictor, and a teacher (encoder and projector) that follows the student.

    It has no trivial loss to be stuck at: collapsed, it is at its best, 0. So its projections are watched for collapse beside the features.
    """

    # lightly's benchmark: LARS 0.45 B/256, decay 1e-6, 10 epochs of warm-up.
    # From weights: a fifth, ours, 0.0225 at 64 images: from ImageNet and freiburg to grocery, half mixed in, a third and three times
    # that scored as well, to 0.4 points.
    recipe = Recipe("lars", lr=0.45, lr_from_weights=0.09, lr_rule="linear", weight_decay=1e-6, warmup=10)

    def __init__(self, encoder: Encoder, classes: int, make_views: Views, settings: MethodSettings) -> None:
        super().__init__(encoder, classes, make_views, settings)
        self.projector, self.predictor = heads.byol(encoder.dim)
        self.teacher = copy.deepcopy(encoder).requires_grad_(False)
        self.teacher_projector = copy.deepcopy(self.projector).requires_grad_(False)
        self.criterion = NegativeCosineSimilarity()

    def loss(self, views: tuple[Tensor, ...], labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """2 · (2 - cos - cos) summed over both directions, mean over the batch: equation 2, from 0 (agreement) to 8."""
        features = [self.encoder(view) for view in views]
        projections = [self.projector(feature) for feature in features]
        predictions = [self.predictor(projection).float() for projection in projections]
        with torch.no_grad():
            targets = [self.teacher_projector(self.teacher(view)).float() for view in views]
        with in_float32(predictions[0]):
            cosines = self.criterion(predictions[0], targets[1]) + self.criterion(predictions[1], targets[0])
        return 4 + 2 * cosines, {"features": features[0].detach(), "projections": projections[0].detach()}

    def after_step(self, progress: float) -> None:
        """The teacher follows: momentum 1 - (1 - 0.99)(cos(π progress) + 1) / 2 (section 3.2, implementation details)."""
        momentum = 1 - (1 - MOMENTUM) * (math.cos(math.pi * progress) + 1) / 2
        update_momentum(self.encoder, self.teacher, momentum)
        update_momentum(self.projector, self.teacher_projector, momentum)
