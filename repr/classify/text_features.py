"""Frozen text features, for image + text rows and hierarchical nets: made once for all rows that share an encoder, kept by content.

An encoder is learnt from training rows alone, with a generator of its own, so that a row's numbers do not depend on what was kept.
"""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Callable
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np
import torch

from repr.arrays import Ints
from repr.classify import ENCODERS, lsa, recurrent
from repr.classify.bert import bert_features
from repr.classify.data import Data, Features
from repr.classify.settings import Settings
from repr.errors import UserError, nearest
from repr.files import cache_dir, content_key, replacing

log = logging.getLogger(__name__)

VERSION = 2  # of what is kept, and of the rows made from it; raise it when an encoder or one of its constants changes
PACKAGES = {"ngram": ("scikit-learn",), "lstm": ("gensim", "jieba", "torch"), "bilstm": ("gensim", "jieba", "torch")}

OF_TEXT = {"title", "ocr", "text"}  # of what data can hide

Encode = Callable[[Data], Features]


def text_encoder(data: Data, settings: Settings, rows: Ints, labels: Ints, classes: int) -> Encode:
    """What makes the text features of every catalog row, by `settings.text_encoder`, learnt from `rows` (n,) with labels (n,).

    Asked with `data.without(…)` it answers for the rest of the text. Raises UserError for a name that is none.
    """
    kind = settings.text_encoder
    if kind not in ENCODERS:
        raise UserError(f"no text encoder is called {kind!r}", "", nearest(kind, ENCODERS), argument="text_encoder")
    if kind == "bert":  # learns nothing here, and keeps its own by the content of the texts
        return lambda seen: bert_features(seen, settings)

    @cache
    def learnt() -> Encode:
        """The encoder, trained when it is first asked for."""
        if kind == "ngram":
            return lsa.lsa_encoder(data, settings, rows)
        generator = torch.Generator().manual_seed(settings.seed)
        return recurrent.Recurrent(settings, both_ways=kind == "bilstm").fit(data, rows, labels, classes, generator).features

    versions = [_version(package) for package in PACKAGES[kind]]
    made_by: tuple[object, ...] = (
        VERSION,
        versions,
        kind,
        settings.scale,
        settings.seed,
        data.ocr,
        data.mask,
        data.identity,
        rows.tobytes(),
    )
    if kind != "ngram":
        made_by = (*made_by, labels.tobytes(), classes, *settings.training(recurrent.EPOCHS).values())

    def encode(seen: Data) -> Features:
        """The features of every row's text, kept by content."""
        kept = cache_dir("text", f"{content_key('learnt', *made_by, *sorted(seen.hidden & OF_TEXT))}.npz")
        found = _read(kept, len(seen.catalog))
        if found is None:
            found = learnt()(seen)
            _write(kept, found)
        return found

    return encode


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
            found = Features(arrays["vectors"], arrays["present"], str(arrays["name"]), arrays["unknown"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return found if len(found.vectors) == len(found.present) == rows else None
