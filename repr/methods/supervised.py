"""Supervised pretraining: cross-entropy on class labels, with an optional projector that is thrown away.

Training on coarse kinds pulls the images of a kind together and so destroys what tells fine products apart. A projector between
backbone and head takes that collapse upon itself (Wang et al., Revisiting the Transferability of Supervised Pretraining: an MLP
Perspective, CVPR 2022, https://arxiv.org/abs/2112.00496; Sariyildiz et al., No Reason for No Supervision, ICLR 2023,
https://arxiv.org/abs/2206.15369).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from repr.images.views import Views
from repr.methods.heads import projector_mlp
from repr.methods.method import Method, in_float32, prior_entropy
from repr.methods.recipe import Recipe
from repr.methods.settings import SupervisedSettings
from repr.models.encoder import Encoder


class Supervised(Method):
    """Cross-entropy over `classes`, with label smoothing (Szegedy et al. 2016).

    projector: put an MLP between backbone and head. It is not written into the weights, nor is the head on top of it.
    """

    needs_labels = True
    # lr: SGD 0.1 at a batch of 256 with momentum 0.9, torchvision's and the ResNet paper's; weight decay 5e-4 as Wide ResNets on CIFAR
    # (Zagoruyko and Komodakis 2016, section 3; the ResNet paper's 1e-4 is for 1.3 million images). Warm-up: 5 epochs, Goyal et al. 2017,
    # section 2.2. From weights: 0.05 B/256, lightly's fine-tuning benchmark.
    recipe = Recipe("sgd", lr=0.1, lr_from_weights=0.05, lr_rule="linear", weight_decay=5e-4, warmup=5)

    def __init__(self, encoder: Encoder, classes: int, make_views: Views, settings: SupervisedSettings) -> None:
        super().__init__(encoder, classes, make_views, settings)
        self.projector: nn.Module = projector_mlp(encoder.dim) if settings.projector else nn.Identity()
        self.head = nn.Linear(encoder.dim, classes)
        self.criterion = nn.CrossEntropyLoss(label_smoothing=settings.label_smoothing)
        self.has_projector = settings.projector

    def views(self, pixels: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
        """One view of each image."""
        return (self.make_views(pixels, generator),)

    def loss(self, views: tuple[Tensor, ...], labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy of the one view's logits (b, classes) with labels (b,)."""
        features = self.encoder(views[0])
        logits = self.head(self.projector(features)).float()
        with in_float32(logits):
            loss = self.criterion(logits, labels)
        return loss, {"features": features.detach(), "logits": logits.detach()}

    def trivial(self, batch_size: int, shares: Tensor | None = None) -> float:
        """The entropy of the classes' shares: log of their number where they are equal."""
        return prior_entropy(self.classes, shares, self.criterion.label_smoothing)

    def logits(self, features: Tensor) -> Tensor:
        """(b, dim) features → (b, classes) logits."""
        logits: Tensor = self.head(self.projector(features))
        return logits

    def classifier(self) -> nn.Linear | None:
        """The head, unless it sits on a projector."""
        return None if self.has_projector else self.head
