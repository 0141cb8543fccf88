"""A hierarchical net asked on one of its levels, as any other model is: on the frozen features of its modalities, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np

from repr.arrays import Floats, Ints
from repr.catalog.table import Catalog
from repr.classify import MODELS
from repr.classify.data import Data, Features
from repr.classify.hierarchy.fit import HierarchicalModel, restored_hierarchy
from repr.classify.image import ImageFeatures
from repr.classify.settings import Settings
from repr.classify.state import Restored, State
from repr.classify.text_features import restored_encoder, text_encoder
from repr.learners.stored import Arrays

TINY = 1e-12  # of a probability, before its logarithm


class Read(Protocol):
    """What makes the features of one modality of any data."""

    def __call__(self, data: Data) -> Features:
        """(n, d) of every catalog row."""

    def state(self) -> State:
        """What it has learnt, or which network it is."""


class FrozenInputs:
    """What the nets learn from: the frozen features of the model's modalities, side by side.

    A modality that a row lacks is filled with its mean over the training rows: it then says nothing.
    """

    def __init__(self, reads: Mapping[str, Read], means: Mapping[str, Floats]) -> None:
        self._reads, self._means = reads, means
        self._last: tuple[Catalog, frozenset[str], Features] | None = None

    @classmethod
    def learn(cls, data: Data, settings: Settings, rows: Ints, labels: Ints) -> FrozenInputs:
        """From catalog rows (n,) with labels (n,), which a text encoder may need."""
        reads: dict[str, Read] = {}
        if "image" in MODELS[settings.model].modality:
            reads["image"] = ImageFeatures(settings)
        if "text" in MODELS[settings.model].modality:
            reads["text"] = text_encoder(data, _reading(settings), rows, labels, int(labels.max()) + 1)
        means: dict[str, Floats] = {}
        for name, read in reads.items():
            features = read(data)
            means[name] = features.vectors[features.known(rows)].mean(axis=0)
        return cls(reads, means)

    def __call__(self, data: Data) -> Features:
        """Of every catalog row, (n, d), with the means for what it lacks or the data hides; present: the rows with anything left."""
        if self._last is None or self._last[0] is not data.catalog or self._last[1] != data.hidden:
            self._last = data.catalog, data.hidden, self._made(data)
        return self._last[2]

    def _made(self, data: Data) -> Features:
        columns, present, names, unknown = [], np.zeros(len(data.catalog), bool), [], None
        for name, read in self._reads.items():
            mean = self._means[name]
            if name in data.hidden:
                columns.append(np.broadcast_to(mean, (len(data.catalog), len(mean))))
                continue
            features = read(data)
            columns.append(np.where(features.present[:, None], features.vectors, mean))
            present |= features.present
            names.append(features.name)
            unknown = features.unknown
        return Features(np.concatenate(columns, axis=1), present, " + ".join(names), unknown)

    def state(self) -> State:
        """Of every modality, and the means."""
        state = State({f"mean/{name}": mean for name, mean in self._means.items()})
        for name, read in self._reads.items():
            state |= read.state().under(name)
        return state

    @classmethod
    def restore(cls, settings: Settings, state: Restored) -> FrozenInputs:
        """What `state` gave. Raises UserError for what does not fit, and where frozen weights are others now."""
        reads: dict[str, Read] = {}
        if "image" in MODELS[settings.model].modality:
            reads["image"] = ImageFeatures.restore(settings, state.below("image"))
        if "text" in MODELS[settings.model].modality:
            reads["text"] = restored_encoder(_reading(settings), state.below("text"))
        return cls(reads, {name: state.arrays.floats(f"mean/{name}", None) for name in reads})


def _reading(settings: Settings) -> Settings:
    """The settings of the row's text encoder, which is the model itself where it reads text alone."""
    return replace(settings, text_encoder=settings.encoder)


class TreeLevel:
    """A row's features → its class on one level. It is filled by `of`, from a net that was trained on all levels, or by `restore`."""

    inputs_: FrozenInputs
    net_: HierarchicalModel
    place_: int

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.note = ""

    @classmethod
    def of(cls, settings: Settings, inputs: FrozenInputs, net: HierarchicalModel, place: int, note: str) -> TreeLevel:
        """place: of the level among those of the net."""
        made = cls(settings)
        made.inputs_, made.net_, made.place_, made.note = inputs, net, place, note
        return made

    def logits(self, data: Data, rows: Ints) -> Floats:
        """(len(rows), classes) logarithms of probabilities; NaN for rows that show nothing."""
        features = self.inputs_(data)
        probabilities = self.net_.probabilities(features.vectors[rows])[self.place_]
        logits = np.log(np.maximum(probabilities, TINY)).astype(np.float32)
        logits[~features.present[rows]] = np.nan
        return logits

    def unknown(self, data: Data, rows: Ints) -> int | None:
        """How many of the rows have a text of which the text encoder knows no term; None where it has no list of terms."""
        unknown = self.inputs_(data).unknown
        return None if unknown is None else int(unknown[rows].sum())

    def state(self) -> State:
        """The net, which level of it, and what it looks at."""
        place: Arrays = {"place": np.array(self.place_)}
        return State(place) | self.net_.state().under("net") | self.inputs_.state().under("inputs")

    def restore(self, state: Restored) -> TreeLevel:
        """Take over what `state` gave. Raises UserError for what does not fit."""
        self.inputs_ = FrozenInputs.restore(self.settings, state.below("inputs"))
        self.net_ = restored_hierarchy(self.settings.hierarchy, state.below("net"), self.settings.device)
        self.place_ = state.arrays.whole("place")
        state.arrays.require(self.place_ < self.net_.tree.levels, "its level is none of the net's")
        return self
