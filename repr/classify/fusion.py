"""Image + text on frozen features: both projected to one width, fused by one of six nets, missing ones replaced by a learnt token.

In training each modality is left out of a tenth of the rows (never both), so that the tokens are learnt and the net answers
when a title or an image is missing.
"""

from __future__ import annotations

from importlib import import_module

import numpy as np
import torch
from torch import Tensor, nn

from repr.arrays import Floats, Ints
from repr.classify.data import Data
from repr.classify.image import ImageFeatures
from repr.classify.settings import Settings
from repr.classify.state import Restored, State, into_network, of_network, zeros
from repr.classify.text_features import restored_encoder, text_encoder
from repr.learners.heads import Standardised, ask, entropy, seeded
from repr.models.devices import pick_device
from repr.training.finetune import fit_network

NETS = {
    "concat": "repr.classify.concat:Concat",
    "tfn": "repr.classify.tfn:TensorFusion",
    "lmf": "repr.classify.lmf:LowRankFusion",
    "gated": "repr.classify.gated:Gated",
    "sum": "repr.classify.sum:Sum",
    "attention": "repr.classify.attention:Attention",
}
EPOCHS = 20
DROPOUT = 0.3
LEFT_OUT = 0.1  # of the rows, each modality, in training


class TwoModalities(nn.Module):
    """Rows [image | 1 or 0 | text | 1 or 0], (b, di + 1 + dt + 1) → (b, classes)."""

    def __init__(self, images: Floats, texts: Floats, net: nn.Module, width: int) -> None:
        super().__init__()
        self.split = [images.shape[1], 1, texts.shape[1], 1]
        self.image = nn.Sequential(Standardised(images), nn.Linear(images.shape[1], width), nn.ReLU(), nn.Dropout(DROPOUT))
        self.text = nn.Sequential(Standardised(texts), nn.Linear(texts.shape[1], width), nn.ReLU(), nn.Dropout(DROPOUT))
        self.no_image, self.no_text = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(width))
        self.net = net

    def forward(self, rows: Tensor) -> Tensor:
        """The logits."""
        images, seen, texts, read = torch.split(rows, self.split, dim=1)
        if self.training:
            draw = torch.rand(len(rows), 1, device=rows.device)
            seen = seen * ((draw >= LEFT_OUT) | (read == 0))
            read = read * ((draw < 1 - LEFT_OUT) | (seen == 0))
        image = torch.where(seen > 0, self.image(images), self.no_image)
        text = torch.where(read > 0, self.text(texts), self.no_text)
        logits: Tensor = self.net(image, text)
        return logits


class Fusion:
    """A row's image and text → its class."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.note = ""

    def fit(self, data: Data, rows: Ints, labels: Ints, classes: int, generator: torch.Generator) -> Fusion:
        """Learn from catalog rows (n,) with labels (n,) in 0..classes-1. Raises NotRun where an encoder has no weights."""
        settings, self.classes_ = self.settings, classes
        self.look_ = ImageFeatures(settings)
        self.read_ = text_encoder(data, settings, rows, labels, classes)
        images, texts = self.look_(data), self.read_(data)
        self.note = f"{images.name} + {texts.name}"
        seen, read = images.known(rows), texts.known(rows)
        with seeded(generator):
            network = self._network(images.vectors[seen], texts.vectors[read], classes)
            self.network_ = fit_network(
                network, self._inputs(data, rows), torch.from_numpy(labels), loss=entropy, generator=generator,
                device=pick_device(settings.device), **settings.training(EPOCHS),
            )  # fmt: skip
        return self

    def logits(self, data: Data, rows: Ints) -> Floats:
        """(len(rows), classes); NaN for rows with neither image nor text."""
        inputs = self._inputs(data, rows)
        found = ask(self.network_, inputs)
        found[~inputs[:, [self.look_(data).vectors.shape[1], -1]].any(dim=1).numpy()] = np.nan
        return found

    def unknown(self, data: Data, rows: Ints) -> int | None:
        """How many of the rows have a text of which the text encoder knows no term; None where it has no list of terms."""
        unknown = self.read_(data).unknown
        return None if unknown is None else int(unknown[rows].sum())

    def state(self) -> State:
        """What it has learnt, the text encoder too, and which network looks at the images."""
        return (
            State(facts={"classes": self.classes_})
            | of_network(self.network_).under("network")
            | self.look_.state().under("look")
            | self.read_.state().under("read")
        )

    def restore(self, state: Restored) -> Fusion:
        """Take over what `state` gave. Raises UserError for what does not fit, and where frozen weights are others now."""
        self.look_ = ImageFeatures.restore(self.settings, state.below("look"))
        self.read_ = restored_encoder(self.settings, state.below("read"))
        arrays = state.below("network").arrays
        wide = (len(arrays.floats(f"{name}.0.mean", None)) for name in ("image", "text"))
        images, texts = (zeros(width) for width in wide)
        network = self._network(images, texts, int(state.fact("classes")))  # type: ignore[arg-type]
        self.network_ = into_network(network, arrays).to(pick_device(self.settings.device))
        return self

    def _network(self, images: Floats, texts: Floats, classes: int) -> TwoModalities:
        """Not yet trained. images, texts: (n, d) that the inputs are standardised by."""
        module, name = NETS[self.settings.model].split(":")
        kind = getattr(import_module(module), name)
        width = self.settings.scaled(kind.WIDTH)
        return TwoModalities(images, texts, kind(width, classes), width)

    def _inputs(self, data: Data, rows: Ints) -> Tensor:
        columns = []
        for name, features in (("image", self.look_(data)), ("text", self.read_(data))):
            there = features.present[rows] & (name not in data.hidden)
            columns += [features.vectors[rows], there[:, None].astype(np.float32)]
        return torch.from_numpy(np.concatenate(columns, axis=1))
