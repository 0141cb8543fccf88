"""The answerer of an index, kept equal to what is stored, and learner.safetensors: what its learner knows. Can be deleted at any time.

How an index answers stands in index.db (`settled.Settled`), and what a learner was taught follows from the images there. So the file only
saves the time of teaching: it says up to which image, and at which revision, it was taught; what came since is taught on top, and where
images were removed since, or anything does not agree, it is made again. A folder that cannot be written to is no reason to fail.
"""

from __future__ import annotations

import json
import os
import threading
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from repr.arrays import Floats
from repr.errors import UserError
from repr.learners.taught import Taught, load
from repr.lookup.answers import Answerer, searches
from repr.lookup.cache import Matrix
from repr.lookup.gallery import Gallery
from repr.lookup.matches import Search
from repr.lookup.schema import LEARNER
from repr.lookup.settled import Settled, settled_of
from repr.lookup.store import Store
from repr.records import from_json, to_json

TAIL, SHARE = 64, 0.02  # images come or gone since it was written, and their share of all, from which it is written again


@dataclass(frozen=True)
class Stamp:
    """What learner.safetensors was taught: the images of an index up to the id `last`, as they were at a revision; CRC-32 of its arrays."""

    index: str
    weights: str
    learner: str
    revision: int
    last: int
    crc: int


class Answering:
    """Answers of one process. Its answerer changes when it is brought up to date: hold `lock` while it is used."""

    def __init__(self, folder: Path, index: str, weights: str) -> None:
        """index: the index's own name. weights: the identity of those that it was made with."""
        self.file, self.index, self.weights = folder / LEARNER, index, weights
        self._answerer: Answerer | None = None
        self._matrix: Matrix | None = None
        self._written = 0  # images that the file was taught
        self._lock, self._process = threading.Lock(), os.getpid()

    @property
    def lock(self) -> threading.Lock:
        """For one thread at a time; a forked child has its own, since nobody there would release that of the parent."""
        if self._process != os.getpid():
            self._lock, self._process = threading.Lock(), os.getpid()
        return self._lock

    def answerer(self, store: Store, matrix: Matrix, search: Search | None) -> Answerer:
        """It, for what `matrix` holds. search: of the rows of the matrix, where not exactly."""
        if self._answerer is not None and matrix is self._matrix:
            return self._answerer
        settled, answerer = settled_of(store), self._answerer
        if answerer is None or answerer.settled.learner != settled.learner:
            answerer = self._opened(store, matrix, settled, search)
        else:
            answerer.settled = settled
            if answerer.follow(self._grown(store, matrix, settled) or self._gallery(store, matrix, answerer.gallery, settled), search):
                self._write_if_grown(answerer, matrix)
            else:
                answerer = self._taught(store, matrix, settled, search)
        self._answerer, self._matrix = answerer, matrix
        return answerer

    def _opened(self, store: Store, matrix: Matrix, settled: Settled, search: Search | None) -> Answerer:
        """From the file where that can be, else taught."""
        if searches(settled.learner):
            return Answerer(self._gallery(store, matrix, None, settled), settled, search=search)
        with suppress(UserError):
            if (found := self._read(store, settled)) is not None:
                taught, stamp = found
                before = Gallery.of_numbers(matrix.pieces, matrix.products, matrix.ids, matrix.alive & (matrix.ids <= stamp.last))
                answerer = Answerer(before, settled, taught=taught)
                self._written = len(before.alive)
                if answerer.follow(self._gallery(store, matrix, before, settled, above=stamp.last), search):
                    self._write_if_grown(answerer, matrix)
                    return answerer
        return self._taught(store, matrix, settled, search)

    def _taught(self, store: Store, matrix: Matrix, settled: Settled, search: Search | None) -> Answerer:
        answerer = Answerer(self._gallery(store, matrix, None, settled), settled, search=search)
        self._write(answerer, matrix)
        return answerer

    def _grown(self, store: Store, matrix: Matrix, settled: Settled) -> Gallery | None:
        """The answerer's gallery with the images that came since; None where some went too."""
        if self._answerer is None or self._matrix is None or matrix.room is None or matrix.room is not self._matrix.room:
            return None
        before, n = self._answerer.gallery, len(self._matrix)
        norms = np.full(len(matrix) - n, np.nan, np.float32)
        if not searches(settled.learner) and n:
            for ids, features in store.features(above=int(matrix.ids[n - 1]), dim=matrix.pieces[0].shape[1]):
                there = np.isin(matrix.ids[n:], ids)
                norms[there] = np.linalg.norm(features[np.isin(ids, matrix.ids[n:])], axis=1)
            if np.isnan(norms).any():  # removed this very moment
                return None
        return before.grown(matrix.pieces, matrix.products[n:], matrix.ids, norms) if n else None

    def _gallery(self, store: Store, matrix: Matrix, before: Gallery | None, settled: Settled, *, above: int | None = None) -> Gallery:
        """The matrix as a gallery, with the norms of images above `above`, by itself those that `before` has not; others as there.

        What somebody has removed this very moment, so that it cannot be taught, counts as removed.
        """
        if searches(settled.learner):
            return Gallery.of_numbers(matrix.pieces, matrix.products, matrix.ids, matrix.alive)
        norms, alive = np.full(len(matrix), np.nan, np.float32), matrix.alive.copy()
        if before is not None and len(before):
            places = np.minimum(np.searchsorted(before.ids, matrix.ids), len(before) - 1)
            same = before.ids[places] == matrix.ids
            norms[same] = before.norms[places[same]]
            above = int(before.ids[-1]) if above is None else above
        above = above or 0
        for ids, features in store.features(above=above, dim=matrix.pieces[0].shape[1] if matrix.pieces else 0) if len(matrix) else ():
            places = np.minimum(np.searchsorted(matrix.ids, ids), len(matrix) - 1)
            same = matrix.ids[places] == ids
            norms[places[same]] = np.linalg.norm(features[same], axis=1)
        alive &= ~((matrix.ids > above) & np.isnan(norms))
        return Gallery.of_numbers(matrix.pieces, matrix.products, matrix.ids, alive, norms)

    def _read(self, store: Store, settled: Settled) -> tuple[Taught, Stamp] | None:
        """What the file holds; None where it is of something else, or of images that were removed since."""
        taught = load(self.file)
        try:
            stamp = from_json(Stamp, json.loads(taught.weights))
        except ValueError:
            return None
        own = (stamp.index, stamp.weights, stamp.learner) == (self.index, self.weights, settled.learner)
        if not own or stamp.revision > store.revision or stamp.crc != _crc(taught):
            return None
        if any(image <= stamp.last for image in store.removed(since=stamp.revision)):
            return None
        return taught, stamp

    def _write_if_grown(self, answerer: Answerer, matrix: Matrix) -> None:
        images = len(answerer.gallery.alive)
        if answerer.taught is not None and abs(images - self._written) >= max(TAIL, SHARE * images):
            self._write(answerer, matrix)

    def _write(self, answerer: Answerer, matrix: Matrix) -> None:
        taught, images = answerer.taught, answerer.gallery.alive
        if taught is None or not len(images):
            return
        first: Floats = answerer.gallery.unit(images[:1])
        answerer.rank(first, 1)  # what the first answer reckons is written too
        last = int(answerer.gallery.ids[images[-1]])
        stamp = Stamp(self.index, self.weights, answerer.settled.learner, matrix.revision, last, _crc(taught))
        taught.weights = json.dumps(to_json(stamp))
        with suppress(OSError):
            taught.save(self.file)
        self._written = len(images)


def _crc(taught: Taught) -> int:
    """Of all that was learned."""
    crc = 0
    for name, array in sorted(taught.learner.arrays().items()):
        crc = zlib.crc32(np.ascontiguousarray(array).tobytes(), zlib.crc32(name.encode(), crc))
    return crc


def drop(folder: Path) -> None:
    """Delete the file; it is made again when it is needed."""
    (folder / LEARNER).unlink(missing_ok=True)
