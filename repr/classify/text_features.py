"""Frozen text features, for image + text rows and hierarchical nets: made once for all rows that share an encoder, kept by content.

An encoder is learnt from training rows alone, with a generator of its own, so that a row's numbers do not depend on what was kept.
"""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Callable, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from repr.arrays import Ints
from repr.catalog.table import Catalog
from repr.classify import ENCODERS, lsa, recurrent
from repr.classify.bert import BertFeatures, find_folder
from repr.classify.data import Data, Features
from repr.classify.settings import Settings
from repr.classify.state import Restored, State
from repr.errors import UserError, nearest
from repr.files import cache_dir, content_key, replacing

log = logging.getLogger(__name__)

VERSION = 2  # of what is kept, and of the rows made from it; raise it when an encoder or one of its constants changes
PACKAGES = {"ngram": ("scikit-learn",), "lstm": ("gensim", "jieba", "torch"), "bilstm": ("gensim", "jieba", "torch")}

OF_TEXT = {"title", "ocr", "text"}  # of what data can hide

Encode = Callable[[Data], Features]


class Learnt(Protocol):
    """An encoder of texts that has learnt all it will."""

    def state(self) -> State:
        """What it has learnt."""


class TextEncoder:
    """What makes the text features of every row, of any data: those of the last data at hand.

    learn: gives the encoder, with what makes features of data; asked when it is first needed, so that features that are kept on the disk
    need none. made_by: all that its training depends on; None where it keeps its own.
    """

    def __init__(self, learn: Callable[[], tuple[Learnt, Encode]], made_by: Sequence[object] | None = None, trained_on: str = "") -> None:
        self.learn, self._made_by, self._trained_on = cache(learn), made_by, trained_on
        self._last: tuple[Catalog, frozenset[str], Features] | None = None

    def __call__(self, data: Data) -> Features:
        """(n, d) of every row, encoded anew where a part of the text is hidden."""
        hidden = data.hidden & OF_TEXT
        if self._last is None or self._last[0] is not data.catalog or self._last[1] != hidden:
            self._last = data.catalog, hidden, self._features(data)
        return self._last[2]

    def _features(self, data: Data) -> Features:
        """The features of every row's text; those of the data it was trained on are kept by content."""
        if self._made_by is None or data.identity != self._trained_on:
            return self.learn()[1](data)
        cached = cache_dir("text", f"{content_key('learnt', *self._made_by, *sorted(data.hidden & OF_TEXT))}.npz")
        features = _read(cached, len(data.catalog))
        if features is None:
            features = self.learn()[1](data)
            _write(cached, features)
        return features

    def state(self) -> State:
        """What the encoder has learnt."""
        return self.learn()[0].state()


def text_encoder(data: Data, settings: Settings, rows: Ints, labels: Ints, classes: int) -> TextEncoder:
    """What makes the text features of every catalog row, by `settings.text_encoder`, learnt from `rows` (n,) with labels (n,).

    Asked with `data.without(…)` it answers for the rest of the text. Raises UserError for a name that is none.
    """
    kind = settings.text_encoder
    if kind not in ENCODERS:
        raise UserError(f"no text encoder is called {kind!r}", "", nearest(kind, ENCODERS), argument="text_encoder")
    if kind == "bert":  # learns nothing here, and keeps its own by the content of the texts
        read = BertFeatures(settings, find_folder(data, settings))
        return TextEncoder(lambda: (read, read))

    def learnt() -> tuple[Learnt, Encode]:
        """The encoder, trained."""
        if kind == "ngram":
            condensed = lsa.lsa_encoder(data, settings, rows)
            return condensed, condensed
        generator = torch.Generator().manual_seed(settings.seed)
        model = recurrent.Recurrent(settings, both_ways=kind == "bilstm").fit(data, rows, labels, classes, generator)
        return model, model.features

    versions = [_version(package) for package in PACKAGES[kind]]
    of_data = (data.ocr, data.mask, data.identity, rows.tobytes())
    made_by: tuple[object, ...] = (VERSION, versions, kind, settings.scale, settings.seed, *of_data)
    if kind != "ngram":
        made_by = (*made_by, labels.tobytes(), classes, *settings.training(recurrent.EPOCHS).values())
    return TextEncoder(learnt, made_by, data.identity)


def restored_encoder(settings: Settings, state: Restored) -> TextEncoder:
    """What `TextEncoder.state` gave. Raises UserError for what does not fit."""
    kind = settings.text_encoder
    if kind == "bert":
        read = BertFeatures.restore(settings, state)
        return TextEncoder(lambda: (read, read))
    if kind == "ngram":
        condensed = lsa.Lsa.restore(state)
        return TextEncoder(lambda: (condensed, condensed))
    model = recurrent.Recurrent(settings, both_ways=kind == "bilstm").restore(state)
    return TextEncoder(lambda: (model, model.features))


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # the encoder says so when it is used
        return ""


def _write(file: Path, features: Features) -> None:
    """Keep the features. Where they do not fit on the disk they are made again next time."""
    assert features.unknown is not None
    try:
        with replacing(file) as temporary, temporary.open("wb") as stream:
            np.savez(stream, vectors=features.vectors, present=features.present, unknown=features.unknown, name=np.array(features.name))
    except OSError as error:
        log.info(f"The text features are not kept: {error}")


def _read(file: Path, rows: int) -> Features | None:
    """What was kept; None where there is nothing, or it is damaged."""
    try:
        with file.open("rb") as stream, np.load(stream) as arrays:
            features = Features(arrays["vectors"], arrays["present"], str(arrays["name"]), arrays["unknown"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return features if len(features.vectors) == len(features.present) == rows else None
