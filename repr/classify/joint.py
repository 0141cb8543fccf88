"""Feature-level fusion trained end to end: both towers and what fuses them, by the loss of the fused answer.

Bi, Wang and Fan, SIGIR eCom 2020, section 3.3.1. A tower that learns nothing by gradients (n-grams) or has learnt for itself (lstm, bilstm)
gives its features as they are.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from repr.arrays import Ints
from repr.classify.bert import RATE_WHOLE, length, pooled
from repr.classify.data import Data, Features
from repr.classify.pieces import tokens
from repr.classify.settings import Recipe, Settings
from repr.classify.text_features import TextEncoder
from repr.classify.towers import ImageTower, TextTower
from repr.errors import UserError
from repr.images.views import plain, preset
from repr.learners.heads import entropy
from repr.models.devices import pick_device
from repr.training.finetune import fit_network
from repr.training.precision import autocast

EPOCHS = 10
Texts = TextTower | TextEncoder


class Images(nn.Module):
    """Catalog rows (b,) → features (b, d) of their images, seen through random views in training. seen: (n,) which rows have one."""

    def __init__(self, data: Data, tower: ImageTower, generator: torch.Generator) -> None:
        super().__init__()
        self.encoder = tower.encoder
        self._pack, place = data.pixels(tower.encoder.size, tower.settings.workers)
        self._place, self._generator = torch.from_numpy(place), generator
        self._views = preset("supervised", tower.encoder.size)
        self.seen = self._place >= 0

    def forward(self, rows: Tensor) -> Tensor:
        """The features; of rows without an image another's, which mean nothing."""
        place = self._place[rows.cpu()].clamp(min=0)
        pixels = torch.from_numpy(self._pack[place.numpy()]).to(rows.device)
        images = self._views(pixels, self._generator) if self.training else plain(pixels, self.encoder.size)
        with autocast(rows.device, self.encoder):
            features: Tensor = self.encoder(images)
        return features.float()


class Pieces(nn.Module):
    """Catalog rows (b,) → features (b, d) of their texts. seen: (n,) which rows have one."""

    def __init__(self, data: Data, tower: TextTower) -> None:
        super().__init__()
        self.network, self._pooling = tower.network, tower.settings.pooling
        texts = data.texts.take(np.arange(len(data.catalog)), pair=True)
        self._numbers = tokens(tower.tokenizer, texts, length(tower.settings))
        self.seen = torch.tensor([bool(text) for text in texts])

    def forward(self, rows: Tensor) -> Tensor:
        """The features; of rows without a text those of an empty one, which mean nothing."""
        numbers = self._numbers[rows.cpu()]
        numbers = numbers[:, : int((numbers >= 0).sum(dim=1).max())].to(rows.device)
        return pooled(self.network, numbers, self._pooling)


class Vectors(nn.Module):
    """Catalog rows (b,) → features (b, d) that are not trained. seen: (n,) which rows have any."""

    def __init__(self, features: Features) -> None:
        super().__init__()
        self._vectors, self.seen = torch.from_numpy(features.vectors), torch.from_numpy(features.present)

    def forward(self, rows: Tensor) -> Tensor:
        """The features."""
        return self._vectors[rows.cpu()].to(rows.device)


class EndToEnd(nn.Module):
    """Catalog rows (b,) → logits (b, classes). fused: what takes rows [image | 1 or 0 | text | 1 or 0]."""

    def __init__(self, images: Images, texts: Pieces | Vectors, fused: nn.Module) -> None:
        super().__init__()
        self.images, self.texts, self.fused = images, texts, fused

    def forward(self, rows: Tensor) -> Tensor:
        """The logits."""
        columns: list[Tensor] = []
        for tower in (self.images, self.texts):
            columns += [tower(rows), tower.seen[rows.cpu()].float().to(rows.device)[:, None]]
        logits: Tensor = self.fused(torch.cat(columns, dim=1))
        return logits


def fit_joint(
    data: Data, settings: Settings, towers: tuple[ImageTower, Texts], fused: nn.Module, rows: Ints, labels: Ints, generator: torch.Generator
) -> None:
    """Train towers and fusion in place on catalog rows (n,) with labels (n,). Raises UserError where no row shows a tower anything."""
    look, read = towers
    images = Images(data, look, generator)
    texts = Pieces(data, read) if isinstance(read, TextTower) else Vectors(read(data))
    for name, tower in (("image", images), ("text", texts)):
        if not tower.seen[torch.from_numpy(rows)].any():
            message = f"no training row has anything for the {name} tower to see"
            raise UserError(message, data.catalog.name, "Check the images and titles, or choose another `model`")
    fit_network(
        EndToEnd(images, texts, fused), torch.from_numpy(rows), torch.from_numpy(labels), loss=entropy, generator=generator,
        device=pick_device(settings.device), **recipe(settings),
    )  # fmt: skip


def recipe(settings: Settings) -> Recipe:
    """Ten epochs; where a text network is trained too, at the rate that it bears."""
    if settings.text_encoder != "bert":
        return settings.recipe(EPOCHS, "image")
    usual = settings.recipe(EPOCHS, "text")
    return usual if settings.preset == "rakuten" else {**usual, "lr": settings.lr or RATE_WHOLE}
