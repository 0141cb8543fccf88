"""The towers below feature-level fusion where they are trained: an image network and a text network, asked as frozen features are.

Bi, Wang and Fan, SIGIR eCom 2020, section 3.3.1: step by step (each tower trained for the classes by itself, then kept as it is below what
fuses, "trained") or end to end (both trained by the loss of the fused answer, "joint", in `repr.classify.joint`). Batches are filled up to
one size, so that an image's or a text's features are the same to the bit in every company.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from repr.arrays import Floats, Ints, Pixels
from repr.catalog.table import Catalog
from repr.classify.bert import Bert, Tuned, find_folder, folder_of, folder_state, length, open_folder, pooled
from repr.classify.data import Data, Features
from repr.classify.image import Image, start
from repr.classify.pieces import ROWS, Tokenizer, ask_texts, tokens
from repr.classify.settings import Settings
from repr.classify.state import Restored, State, into_network, of_network
from repr.classify.text_features import OF_TEXT
from repr.images.views import plain
from repr.models.architecture import called
from repr.models.devices import pick_device
from repr.models.encoder import Encoder

BLOCK = 1024  # texts cut at a time


class ImageTower:
    """Images → features. encoder: as it begins, or trained; name: of the weights it began from."""

    def __init__(self, settings: Settings, encoder: Encoder, name: str) -> None:
        self.settings, self.encoder, self.name = settings, encoder, name
        self._last: tuple[Catalog, Features] | None = None

    @classmethod
    def start(cls, settings: Settings) -> ImageTower:
        """As it begins."""
        weights, encoder = start(settings)
        return cls(settings, encoder.to(pick_device(settings.device)).eval(), weights.name)

    @classmethod
    def trained(cls, data: Data, settings: Settings, rows: Ints, labels: Ints, classes: int, generator: torch.Generator) -> ImageTower:
        """Trained by itself for the classes, plain or by dcl."""
        alone = replace(settings, model="encoder", end_to_end=True)
        network = Image(alone).fit(data, rows, labels, classes, generator).network_
        encoder = network.encoder
        assert isinstance(encoder, Encoder)
        return cls(settings, encoder, start(settings)[0].name)

    def __call__(self, data: Data) -> Features:
        """(n, d) of every row; rows whose image cannot be read, or that the data hide, are not present."""
        if "image" in data.hidden:
            return Features(np.zeros((len(data.catalog), self.encoder.dim), np.float32), np.zeros(len(data.catalog), bool), self._called)
        if self._last is None or self._last[0] is not data.catalog:
            self._last = data.catalog, self._made(data)
        return self._last[1]

    def _made(self, data: Data) -> Features:
        pack, place = data.pixels(self.encoder.size, self.settings.workers)
        vectors, readable = np.zeros((len(place), self.encoder.dim), np.float32), np.flatnonzero(place >= 0)
        for part in np.split(readable, range(ROWS, len(readable), ROWS)):
            vectors[part] = self._features_of(pack[place[part]])
        return Features(vectors, place >= 0, self._called)

    @torch.inference_mode()
    def _features_of(self, pixels: Pixels) -> Floats:
        """(b, d) of up to ROWS images."""
        filled = np.zeros((ROWS, *pixels.shape[1:]), np.uint8)
        filled[: len(pixels)] = pixels
        images = plain(torch.from_numpy(filled).to(next(self.encoder.parameters()).device), self.encoder.size)
        features: Floats = self.encoder(images).float().cpu().numpy()[: len(pixels)]
        return features

    @property
    def _called(self) -> str:
        return f"trained {self.name} ({called(self.encoder.arch)}, {self.encoder.size} px)"

    def state(self) -> State:
        """What it has learnt."""
        return of_network(self.encoder).under("network") | State(facts={"size": self.encoder.size})

    @classmethod
    def restore(cls, settings: Settings, state: Restored) -> ImageTower:
        """What `state` gave. Raises UserError for what does not fit."""
        weights, encoder = start(settings)
        encoder.size = int(str(state.fact("size")))
        into_network(encoder, state.below("network").arrays)
        return cls(settings, encoder.to(pick_device(settings.device)), weights.name)


class TextTower:
    """Texts → features. network: as the folder has it, or trained."""

    def __init__(self, settings: Settings, folder: Path, tokenizer: Tokenizer, network: nn.Module) -> None:
        self.settings, self.folder, self.tokenizer, self.network = settings, folder, tokenizer, network
        self.dim = int(network.config.hidden_size)  # type: ignore[union-attr, arg-type]
        self._last: tuple[Catalog, frozenset[str], Features] | None = None

    @classmethod
    def start(cls, data: Data, settings: Settings) -> TextTower:
        """As it begins. Raises NotRun where there is no folder for these texts."""
        folder = find_folder(data, settings)
        tokenizer, network = open_folder(folder)
        return cls(settings, folder, tokenizer, network.to(pick_device(settings.device)).eval())

    @classmethod
    def trained(cls, data: Data, settings: Settings, rows: Ints, labels: Ints, classes: int, generator: torch.Generator) -> TextTower:
        """Trained by itself for the classes."""
        alone = Bert(replace(settings, model="bert", end_to_end=True)).fit(data, rows, labels, classes, generator)
        assert isinstance(alone.network_, Tuned)
        return cls(settings, alone.folder_, alone.tokenizer_, alone.network_.network)

    def __call__(self, data: Data) -> Features:
        """(n, d) of every row, asked anew where a part of the text is hidden; rows without text are not present."""
        hidden = data.hidden & OF_TEXT
        if self._last is None or self._last[0] is not data.catalog or self._last[1] != hidden:
            self._last = data.catalog, hidden, self._made(data)
        return self._last[2]

    def _made(self, data: Data) -> Features:
        longest, device = length(self.settings), next(self.network.parameters()).device
        texts = data.texts.take(np.arange(len(data.catalog)), pair=True)
        present = np.array([bool(text) for text in texts])
        vectors = np.zeros((len(texts), self.dim), np.float32)
        some = np.flatnonzero(present)
        for part in np.split(some, range(BLOCK, len(some), BLOCK)) if len(some) else ():
            numbers = tokens(self.tokenizer, [texts[row] for row in part], longest)
            vectors[part] = ask_texts(lambda batch: pooled(self.network, batch.to(device), self.settings.pooling), numbers, longest)
        return Features(vectors, present, f"trained {self.folder.name} ({self.dim}-d)")

    def state(self) -> State:
        """What it has learnt, and the folder whose word pieces it reads."""
        return of_network(self.network).under("network") | folder_state(self.folder)

    @classmethod
    def restore(cls, settings: Settings, state: Restored) -> TextTower:
        """What `state` gave. Raises UserError for what does not fit, and where the folder is gone or holds others now."""
        folder = folder_of(state)
        tokenizer, network = open_folder(folder)
        into_network(network, state.below("network").arrays)
        return cls(settings, folder, tokenizer, network.to(pick_device(settings.device)))
