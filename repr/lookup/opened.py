"""An index folder, opened: its store, what it is made of, its encoder made ready once, and what keeps it: verify, backup, export."""

from __future__ import annotations

import os
import threading
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np

from repr.arrays import Floats, Ints
from repr.catalog.names import as_name
from repr.embedding.embedder import Embedder
from repr.errors import UserError
from repr.lookup import keeping, own
from repr.lookup.info import MadeWith, recorded
from repr.lookup.refused import Refused
from repr.lookup.store import Store
from repr.lookup.weights import read_encoder, weights_file
from repr.models.encoder import Encoder
from repr.models.weights import Weights, read_weights
from repr.shared import Writing


class Opened:
    """What `Index` stands on: all that needs neither images nor a search."""

    def __init__(self, folder: Path, *, device: str = "auto", workers: int | None = None, wait: float = Writing.wait) -> None:
        """As `Index.open`."""
        self.folder = Path(folder)
        self.device, self.workers, self.wait = device, workers, wait
        self.who = ""  # makes changes, for their log; "" for the user of the system
        self._own = threading.local()
        self._embedding = threading.Lock()
        self._renew()

    def _renew(self) -> None:
        """Read what the index is made of, which `reindex` changes; what was made of other weights is forgotten."""
        with self.store.reading():
            self.weights = recorded(self.store)
            self.name = str(self.store.setting("name"))
        self.__dict__.pop("_embedder", None)
        weights_file(self.folder, self.weights["identity"])
        self._forget()

    def _forget(self) -> None:
        """Let go of what was made of the features."""

    @property
    def store(self) -> Store:
        """This thread's own connection to index.db; a forked child opens another."""
        if getattr(self._own, "process", 0) == os.getpid() and self._own.store.outdated:
            self.close()
        if getattr(self._own, "process", 0) != os.getpid():
            self._own.inherited = getattr(self._own, "store", None)  # not closed: its locks are the parent's
            self._own.store, self._own.process = Store(self.folder, wait=self.wait), os.getpid()
        store = cast(Store, self._own.store)
        store.who = self.who
        return store

    def close(self) -> None:
        """Close this thread's connection; the next call opens another."""
        if getattr(self._own, "process", 0) == os.getpid():
            self._own.store.close()
        self._own.process = 0

    @property
    def root(self) -> Path:
        """What paths of images are relative to."""
        return Path(str(self.store.setting("root")))

    def file(self, image: str, root: Path | None = None) -> Path:
        """Where the file of a stored image is, by its path in the index. root: where they lie now, if not where they were stored from."""
        return own.place(self.folder, image) or (root or self.root) / as_name(image)

    def check_weights(self, weights: str | Path | Weights | None) -> None:
        """Raise UserError when the index was made with other weights than these; None for whatever it was made with."""
        if weights is None:
            return
        given, own = weights if isinstance(weights, Weights) else read_weights(weights), self.weights
        if given.identity != own["identity"]:
            raise UserError(
                f"the index was made with the weights {own['name']} ({own['identity']}), not with {given.name} ({given.identity})",
                self.folder,
                "Leave `weights` out, or build another index with these weights",
            )

    @property
    def embedder(self) -> Embedder:
        """The weights that the index was made with, made ready once, at its own image size and crops.

        Raises UserError when they were changed, and when the device is not there.
        """
        with self._embedding:
            return self._embedder

    @cached_property
    def _embedder(self) -> Embedder:
        return made_ready(self.folder, self.weights, device=self.device, workers=self.workers)

    @property
    def encoder(self) -> Encoder:
        """The encoder of the index's weights as they are read, at its own image size and crops. Raises UserError when they were changed."""
        return read_encoder(self.folder, self.weights)

    def verify(self, *, images: bool = True) -> list[str]:
        """What is wrong, a sentence each; empty when nothing is. images: whether the files of images are read too, and compared."""
        return keeping.problems(self.store, self.folder, self.file if images else None, self.weights["identity"])

    def strays(self) -> int:
        """How many files of its own belong to no image: left over by an interruption. 0 where index.db cannot be read."""
        try:
            return len(self.store.strays())
        except Refused:
            return 0

    def backup(self, file: str | Path) -> None:
        """Write all that cannot be made again into one file (tar), as it is now, while others read and write."""
        keeping.backup(self.store, self.folder, Path(file))

    def export(self, file: str | Path) -> int:
        """Write a row an image to a .csv, or, with the features, to a .parquet file; returns how many. Raises UserError for others."""
        return keeping.export(self.store, Path(file), self.weights["dim"])

    def gallery(self) -> tuple[Floats, list[str], Ints]:
        """Features (n, d) float32 as the encoder gave them, ids of products, and ids (n,) of all stored images, for learners."""
        with self.store.reading():
            parts = list(self.store.features(dim=self.weights["dim"]))
            ids, numbers = self.store.owners()
            products = self.store.products()
        features = np.concatenate([np.empty((0, self.weights["dim"]), np.float32), *(part for _, part in parts)])
        return features, [products[int(number)].id for number in numbers], ids


def made_ready(folder: Path, made: MadeWith, *, device: str, workers: int | None) -> Embedder:
    """The encoder of an index's weights, current or next, as an embedder. Raises UserError as `read_encoder`."""
    return Embedder(read_encoder(folder, made), device=device, workers=workers)
