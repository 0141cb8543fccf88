"""What a pretraining method is to the loop: it makes views of a batch and a loss of the views."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from repr.images.views import Views
from repr.methods.recipe import Recipe
from repr.methods.settings import MethodSettings
from repr.models.encoder import Encoder


def in_float32(tensor: Tensor) -> torch.autocast:
    """A context for losses: under autocast the products in them would be of bfloat16, which loses what is small near the optimum."""
    return torch.autocast(tensor.device.type, enabled=False)


def prior_entropy(classes: int, shares: Tensor | None, smoothing: float) -> float:
    """The cross-entropy of always answering the classes' shares, the best that tells nothing apart; labels smoothed as in training."""
    p = torch.full((classes,), 1 / classes) if shares is None else shares.float()
    p = (1 - smoothing) * p + smoothing / classes
    return float(torch.special.entr(p).sum())


class Method(nn.Module):
    """One pretraining method around an encoder. Subclasses: one file each in this folder.

    needs_labels: whether `loss` reads the labels. needs_pairs: whether every class must have two images.
    """

    recipe: ClassVar[Recipe]
    needs_labels: ClassVar[bool] = False
    needs_pairs: ClassVar[bool] = False
    default_views: ClassVar[str] = "product"

    def __init__(self, encoder: Encoder, classes: int, make_views: Views, settings: MethodSettings) -> None:
        """classes: how many there are; 0 where there are no labels. settings: the method's own, of its class in METHODS."""
        super().__init__()
        self.settings = settings
        self.classes = classes
        self.encoder = encoder
        self.make_views = make_views

    @classmethod
    def fitted(cls, settings: MethodSettings, images: int, batch: int) -> MethodSettings:
        """The settings for a run on so many training images in such batches, what was left open filled in. Here as they are.

        Raises UserError for settings that such a run cannot have.
        """
        return settings

    def views(self, pixels: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
        """The views of a batch: pixels uint8 (b, h, w, 3) → float (b, 3, size, size) each, in 0..1. Two by default."""
        return self.make_views(pixels, generator), self.make_views(pixels, generator)

    def loss(self, views: tuple[Tensor, ...], labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch (a scalar with gradient) and what to keep of it, detached.

        labels: int64 (b,). In the second: scalars are logged under their names; "features" (b, dim), the encoder's output, is
        watched for collapse, and so is "projections", if the loss would not tell of theirs; "logits" (b, classes), where the method
        has a classifier, gives the training accuracy.
        """
        raise NotImplementedError

    def forward(self, views: tuple[Tensor, ...], labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """`loss`, under the name by which DistributedDataParallel calls it."""
        return self.loss(views, labels)

    def after_step(self, progress: float) -> None:
        """Called after every optimiser step; progress: share of the run done, 0 to 1. For momentum teachers."""

    def trivial(self, batch_size: int, shares: Tensor | None = None) -> float | None:
        """The loss of a network that tells nothing apart for `batch_size` images over all processes; None if there is none.

        shares: (classes,) of the training images as they are drawn, summing to 1; None for equal ones.
        """
        return None

    def logits(self, features: Tensor) -> Tensor | None:
        """(b, dim) features → (b, classes), where the method has a classifier; else None."""
        return None

    def classifier(self) -> nn.Linear | None:
        """The linear head on the encoder's features that belongs into the weights; None where there is none."""
        return None
