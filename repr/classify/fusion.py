"""Image + text on features: both projected to one width, fused by one of six nets, missing ones replaced by a learnt token.

The features are of frozen networks, of towers that were trained each by itself, or of towers trained end to end with what fuses them.

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
from repr.classify.joint import fit_joint
from repr.classify.settings import Settings
from repr.classify.state import Restored, State, into_network, of_network, zeros
from repr.classify.text_features import TextEncoder, restored_encoder, text_encoder
from repr.classify.towers import ImageTower, TextTower
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
    """Rows [image | 1 or 0 | text | 1 or 0], (b, di + 1 + dt + 1) → (b, classes). first: what levels the features, of di and dt."""

    def __init__(self, first: tuple[nn.Module, nn.Module], dims: tuple[int, int], net: nn.Module, width: int) -> None:
        super().__init__()
        self.split = [dims[0], 1, dims[1], 1]
        self.image, self.text = (
            nn.Sequential(levelled, nn.Linear(dim, width), nn.ReLU(), nn.Dropout(DROPOUT))
            for levelled, dim in zip(first, dims, strict=True)
        )
        self.no_image, self.no_text = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(width))
        self.net = net

    def forward(self, rows: Tensor) -> Tensor:
        """The logits."""
        images, has_image, texts, has_text = torch.split(rows, self.split, dim=1)
        if self.training:
            draw = torch.rand(len(rows), 1, device=rows.device)
            has_image = has_image * ((draw >= LEFT_OUT) | (has_text == 0))
            has_text = has_text * ((draw < 1 - LEFT_OUT) | (has_image == 0))
        image = torch.where(has_image > 0, self.image(images), self.no_image)
        text = torch.where(has_text > 0, self.text(texts), self.no_text)
        logits: Tensor = self.net(image, text)
        return logits


class Fusion:
    """A row's image and text → its class."""

    look_: ImageFeatures | ImageTower
    read_: TextEncoder | TextTower
    network_: nn.Module

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.note = ""

    def fit(self, data: Data, rows: Ints, labels: Ints, classes: int, generator: torch.Generator) -> Fusion:
        """Learn from catalog rows (n,) with labels (n,) in 0..classes-1. Raises NotRun where an encoder has no weights."""
        settings, self.classes_ = self.settings, classes
        if settings.towers == "joint":
            self._fit_jointly(data, rows, labels, generator)
        else:
            self._fit_step_by_step(data, rows, labels, generator)
        self.note = f"{self.look_(data).name} + {self.read_(data).name}" + (", end to end" if settings.towers == "joint" else "")
        return self

    def _fit_step_by_step(self, data: Data, rows: Ints, labels: Ints, generator: torch.Generator) -> None:
        settings, classes = self.settings, self.classes_
        trained, bert = settings.towers == "trained", settings.text_encoder == "bert"
        of_towers = (data, settings, rows, labels, classes, generator)
        self.look_ = ImageTower.trained(*of_towers) if trained else ImageFeatures(settings)
        self.read_ = TextTower.trained(*of_towers) if trained and bert else text_encoder(*of_towers[:-1])
        images, texts = self.look_(data), self.read_(data)
        known = images.vectors[images.known(rows)], texts.vectors[texts.known(rows)]
        with seeded(generator):
            network = self._network((Standardised(known[0]), Standardised(known[1])), (known[0].shape[1], known[1].shape[1]))
            self.network_ = fit_network(
                network, self._inputs(data, rows), torch.from_numpy(labels), loss=entropy, generator=generator,
                device=pick_device(settings.device), **settings.training(EPOCHS),
            )  # fmt: skip

    def _fit_jointly(self, data: Data, rows: Ints, labels: Ints, generator: torch.Generator) -> None:
        settings, bert = self.settings, self.settings.text_encoder == "bert"
        look = ImageTower.start(settings)
        read = TextTower.start(data, settings) if bert else text_encoder(data, settings, rows, labels, self.classes_)
        dims = (look.encoder.dim, read.dim if isinstance(read, TextTower) else read(data).vectors.shape[1])
        with seeded(generator):
            self.network_ = self._network((nn.LayerNorm(dims[0]), nn.LayerNorm(dims[1])), dims)
            fit_joint(data, settings, (look, read), self.network_, rows, labels, generator)
        self.look_, self.read_ = look, read

    def logits(self, data: Data, rows: Ints) -> Floats:
        """(len(rows), classes); NaN for rows with neither image nor text."""
        inputs = self._inputs(data, rows)
        logits = ask(self.network_, inputs)
        logits[~inputs[:, [self.look_(data).vectors.shape[1], -1]].any(dim=1).numpy()] = np.nan
        return logits

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
        settings, bert = self.settings, self.settings.text_encoder == "bert"
        frozen = settings.towers == "frozen"
        look, read = state.below("look"), state.below("read")
        self.look_ = ImageFeatures.restore(settings, look) if frozen else ImageTower.restore(settings, look)
        self.read_ = TextTower.restore(settings, read) if bert and not frozen else restored_encoder(settings, read)
        arrays = state.below("network").arrays
        images, texts = (arrays.floats(f"{name}.1.weight", None, None).shape[1] for name in ("image", "text"))
        self.classes_ = int(str(state.fact("classes")))
        first = (nn.LayerNorm(images), nn.LayerNorm(texts)) if settings.towers == "joint" else (levelled(images), levelled(texts))
        self.network_ = into_network(self._network(first, (images, texts)), arrays).to(pick_device(settings.device))
        return self

    def _network(self, first: tuple[nn.Module, nn.Module], dims: tuple[int, int]) -> TwoModalities:
        """Not yet trained. first, dims: what levels the features of images and texts, and how long they are."""
        module, name = NETS[self.settings.model].split(":")
        kind = getattr(import_module(module), name)
        width = self.settings.scaled(kind.WIDTH)
        return TwoModalities(first, dims, kind(width, self.classes_), width)

    def _inputs(self, data: Data, rows: Ints) -> Tensor:
        columns = []
        for name, features in (("image", self.look_(data)), ("text", self.read_(data))):
            there = features.present[rows] & (name not in data.hidden)
            columns += [features.vectors[rows], there[:, None].astype(np.float32)]
        return torch.from_numpy(np.concatenate(columns, axis=1))


def levelled(width: int) -> Standardised:
    """What standardises features of a width, before it is filled."""
    return Standardised(zeros(width))
