"""An index that is asked without PyTorch, by the encoder.onnx that lies in its folder: for a program that starts, answers and ends.

Nothing here may import PyTorch: loading it takes longer than all the rest. Changes of an index are made through `repr.lookup.index`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from repr.arrays import Floats, Ints
from repr.catalog.names import as_name
from repr.embedding.graph import Graph
from repr.errors import UserError
from repr.images.decode import decode
from repr.images.reader import ImageLike, name_of
from repr.lookup import cache, lists, own
from repr.lookup.answering import Answering
from repr.lookup.info import recorded
from repr.lookup.matches import Answer, Match, hits
from repr.lookup.replies import boxes_of, matches_of_answer, matches_of_hits, with_chances
from repr.lookup.schema import ENCODER
from repr.lookup.store import Store
from repr.machine import cores
from repr.vectors import check_finite, normalised

log = logging.getLogger(__name__)

BATCH = 16  # images a pass


class NoEncoder(UserError):
    """There is no encoder.onnx of the weights that the index was made with."""


class Cold:
    """An index folder, opened to be asked."""

    def __init__(self, folder: str | Path, *, workers: int | None = None) -> None:
        """Raises UserError when it is no index, and NoEncoder when it has no encoder.onnx of its weights."""
        self.folder, self.workers = Path(folder), workers
        self.store = Store(self.folder)
        self.made = recorded(self.store)
        self.name = str(self.store.setting("name"))
        file = self.folder / ENCODER
        if not file.is_file():
            raise NoEncoder("there is none yet", file, "Export the index's encoder")
        self.graph = Graph(file, threads=cores())
        about = self.graph.about
        if (about.identity, about.size, list(about.crops)) != (self.made["identity"], self.made["size"], self.made["crops"]):
            raise NoEncoder("of other weights than the index", file, "Export the index's encoder again")
        self._lists: lists.Calibrated | None = None
        self._answering = Answering(self.folder, self.name, self.made["identity"])

    @property
    def synthetic(self) -> bool:
        """Whether the synthetic shop has a part in it."""
        return bool(self.store.setting("synthetic"))

    def file(self, image: str, root: Path | None = None) -> Path:
        """Where the file of a stored image is, by its path in the index. root: what paths are relative to, if not as stored."""
        return own.place(self.folder, image) or (root or Path(str(self.store.setting("root")))) / as_name(image)

    def lookup(self, images: Sequence[ImageLike], k: int = 10, *, per_image: bool = False) -> list[Answer]:
        """As `Index.lookup` of several images, by the same search of many vectors; exactly where a server has them.

        Raises UserError when the index has got other weights since it was opened.
        """
        features, places, bad = self._embed(images)
        check_finite(features, self.made["name"])
        with self._answering.lock:
            matrix = self._matrix()
            self._lists = lists.load(self.folder, matrix, self.name, before=self._lists)
            search = lists.searching(matrix, self._lists)
            ranked = self._answering.answerer(self.store, matrix, search).answers(features, k)
        named = [matches_of_answer(self.store, one) for one in ranked]
        if per_image:
            nearest = [
                matches_of_hits(self.store, matrix, near) for near in hits(matrix, normalised(features), k, per_image=True, search=search)
            ]
            named = [with_chances(self.store, matches, one) for matches, one in zip(nearest, ranked, strict=True)]
        answered = {int(place): (matches, one.unknown) for place, matches, one in zip(places, named, ranked, strict=True)}
        return [_answer(name_of(image, place), answered.get(place), bad.get(place, "")) for place, image in enumerate(images)]

    def _matrix(self) -> cache.Matrix:
        """The vectors as they are now. Raises UserError where they are of other weights than the encoder."""
        try:
            return cache.load(self.folder, self.store, index=self.name, dim=self.made["dim"])
        except cache.OtherIndex:
            raise UserError("the index was made anew with other weights meanwhile", self.folder, "Give the command again") from None

    def _embed(self, images: Sequence[ImageLike]) -> tuple[Floats, Ints, dict[int, str]]:
        """Features (m, d) of the readable ones, their positions (m,), and the reasons of the others by position."""
        about, features, rows, bad = self.graph.about, list[Floats](), list[Ints](), dict[int, str]()
        boxes = boxes_of(self.store, Path(str(self.store.setting("root"))), images)
        for chunk in decode(images, boxes, about.side, fit=about.frame or "crop", workers=self.workers):
            bad.update(chunk.bad)
            rows.append(chunk.positions)
            features += [self.graph.features(chunk.pixels[at : at + BATCH]) for at in range(0, len(chunk.pixels), BATCH)]
        none = np.empty((0, about.dim), np.float32)
        return np.concatenate([none, *features]), np.concatenate([np.empty(0, np.int64), *rows]), bad


def opened(folder: Path, export: Callable[[Path], None], *, workers: int | None = None) -> Cold:
    """The index, by its encoder.onnx; where there is none of its weights yet, `export` is called, once, to write it."""
    try:
        return Cold(folder, workers=workers)
    except NoEncoder as missing:
        log.info(f"Exporting the index's encoder, once: {missing}")
        export(folder)
        return Cold(folder, workers=workers)


def _answer(name: str, answered: tuple[list[Match], bool] | None, reason: str) -> Answer:
    return Answer(name, error=reason) if answered is None else Answer(name, tuple(answered[0]), answered[1])
