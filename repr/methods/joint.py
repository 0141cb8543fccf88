"""Joint training: cross-entropy tells the classes apart, SupCon arranges the images within and between them.

The sum is that of Gunel et al., Supervised Contrastive Learning for Pre-trained Language Model Fine-tuning, ICLR 2021
(https://arxiv.org/abs/2011.01403, equation 1), there of text and here of images.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from repr.images.views import Views
from repr.methods import heads
from repr.methods.method import Method, in_float32, prior_entropy
from repr.methods.recipe import Recipe
from repr.methods.settings import JointSettings
from repr.methods.supcon import supcon_loss
from repr.models.encoder import Encoder


class Joint(Method):
    """loss = (1 - contrast) · cross-entropy + contrast · SupCon.

    contrast: 0.5, ours: equal parts (Gunel et al. sweep it). projector: an MLP between backbone and classifier, thrown
    away with it (see supervised.py); the contrastive head is always thrown away. temperature, label_smoothing: as in supcon.py and
    supervised.py.
    """

    needs_labels = True
    needs_pairs = True
    # The rates of its parts agree (supervised.py 0.1, supcon.py 0.05 at 256); the more careful one.
    recipe = Recipe("sgd", lr=0.05, lr_from_weights=0.05, lr_rule="linear", weight_decay=1e-4, warmup=10)

    def __init__(self, encoder: Encoder, classes: int, make_views: Views, settings: JointSettings) -> None:
        super().__init__(encoder, classes, make_views, settings)
        self.projector: nn.Module = heads.projector_mlp(encoder.dim) if settings.projector else nn.Identity()
        self.head = nn.Linear(encoder.dim, classes)
        self.contrast_head = heads.moco(encoder.dim)
        self.criterion = nn.CrossEntropyLoss(label_smoothing=settings.label_smoothing)
        self.temperature, self.contrast, self.has_projector = settings.temperature, settings.contrast, settings.projector

    def loss(self, views: tuple[Tensor, ...], labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Both parts over the two views of the batch; logged as loss_ce and loss_supcon."""
        features = torch.cat([self.encoder(view) for view in views])
        twice = labels.repeat(2)
        logits = self.head(self.projector(features)).float()
        projections = self.contrast_head(features).float()
        with in_float32(logits):
            entropy = self.criterion(logits, twice)
            contrastive = supcon_loss(projections, twice, self.temperature)
        loss = (1 - self.contrast) * entropy + self.contrast * contrastive
        first = slice(0, len(labels))
        watched = {"features": features[first], "logits": logits[first], "loss_ce": entropy, "loss_supcon": contrastive}
        return loss, {name: value.detach() for name, value in watched.items()}

    def trivial(self, batch_size: int, shares: Tensor | None = None) -> float:
        """The weighted sum of its parts' (supervised.py, supcon.py)."""
        entropy = prior_entropy(self.classes, shares, self.criterion.label_smoothing)
        return (1 - self.contrast) * entropy + self.contrast * math.log(2 * batch_size - 1)

    def logits(self, features: Tensor) -> Tensor:
        """(b, dim) features → (b, classes) logits."""
        logits: Tensor = self.head(self.projector(features))
        return logits

    def classifier(self) -> nn.Linear | None:
        """The head, unless it sits on a projector."""
        return None if self.has_projector else self.head
