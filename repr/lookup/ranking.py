"""The best products of a query: by the scores of a learner, or by the stored images nearest to it, through FAISS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from repr.arrays import Floats, Ints
from repr.learners.learner import Learner
from repr.lookup.gallery import GONE, Gallery
from repr.search.exact import pieces, top_k
from repr.vectors import normalised

# Queries (q, d) of length 1 and k → cosines and rows of the gallery, (q, k) each, the best first; −1 where there are no more.
Search = Callable[[Floats, int], tuple[Floats, Ints]]


@dataclass(frozen=True, eq=False)
class Ranking:
    """Products of each query, best first. scores: (q, s), −inf where there is no product; columns: (q, s) numbers in `Gallery.names`."""

    scores: Floats
    columns: Ints


class ImageSearch:
    """Exact search by cosine among the images of a gallery, in memory: vectors of length 1 that grow with it.

    An index of many images gives a `Search` of its own instead.
    """

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery
        self._rows: Ints = np.zeros(0, dtype=np.int64)
        self._vectors: Floats = np.zeros((0, 0), dtype=np.float32)
        self._seen = 0  # rows of the gallery looked at so far

    def __call__(self, queries: Floats, k: int) -> tuple[Floats, Ints]:
        """As `Search`."""
        self._follow()
        cosines, places = top_k(queries, self._vectors[: len(self._rows)], k)
        short = ((0, 0), (0, k - cosines.shape[1]))
        rows = self._rows[places] if len(self._rows) else places
        return np.pad(cosines, short, constant_values=-1), np.pad(rows, short, constant_values=-1)

    def _follow(self) -> None:
        """Take in what was added, and drop what was removed."""
        stay = self._gallery.columns[self._rows] != GONE
        if not stay.all():
            self._rows, self._vectors = self._rows[stay], self._vectors[: len(self._rows)][stay]
        new = self._gallery.alive[self._gallery.alive >= self._seen]
        self._seen = len(self._gallery)
        if not len(new):
            return
        before, after = len(self._rows), len(self._rows) + len(new)
        if after > len(self._vectors):  # half as much again, so that single additions do not each copy all
            room = np.empty((max(after, 3 * before // 2), self._gallery.width or 0), dtype=np.float32)
            if before:
                room[:before] = self._vectors[:before]
            self._vectors = room
        self._vectors[before:after] = self._gallery.unit(new)
        self._rows = np.concatenate([self._rows, new])


def best_products(learner: Learner, columns: Ints, x: Floats, s: int) -> Ranking:
    """The s products a learner scores highest for features (q, d). columns: (C,) the number in `Gallery.names` of each of its classes.

    The plain product of queries and class vectors is the fastest exact way at 100,000 products too: of 1,280 numbers 31 ms of a core an
    answer (LDA, class means), and 0.14 s for the first after an addition. FAISS took 33 ms, and its copy of the vectors is made anew,
    in 4 s, whenever the learner's covariance moves.
    """
    scores = np.empty((len(x), min(s, len(columns))), dtype=np.float32)
    places = np.empty(scores.shape, dtype=np.int64)
    for part in pieces(len(x), len(columns)):
        scores[part], places[part] = highest(learner.scores(x[part]), s)
    return Ranking(scores, columns[places])


def highest(scores: Floats, s: int) -> tuple[Floats, Ints]:
    """The s highest of each row (q, C), with their columns, the best first; of equal ones the earlier."""
    s = min(s, scores.shape[1])
    if s < scores.shape[1]:
        part = np.sort(np.argpartition(-scores, s - 1, axis=1)[:, :s], axis=1)
    else:
        part = np.tile(np.arange(s), (len(scores), 1))
    order = np.argsort(-np.take_along_axis(scores, part, axis=1), axis=1, kind="stable")
    places = np.take_along_axis(part, order, axis=1)
    return np.take_along_axis(scores, places, axis=1), places


def nearest_products(search: Search, gallery: Gallery, x: Floats, s: int, scale: float) -> Ranking:
    """The s products of the images nearest to features (q, d); scores are scale · cosine, as those of the learner `neighbour`."""
    queries, products = normalised(x), len(np.unique(gallery.columns[gallery.alive]))
    s, total = min(s, products), len(gallery.alive)
    scores = np.full((len(x), s), -np.inf, dtype=np.float32)
    columns = np.full((len(x), s), GONE, dtype=np.int64)
    todo, depth = np.arange(len(x)), min(total, 4 * s)
    while len(todo) and s:
        cosines, rows = search(queries[todo], depth)
        short = []
        for query, of_query, found in zip(todo, cosines, rows, strict=True):
            real = found >= 0
            _, first = np.unique(gallery.columns[found[real]], return_index=True)
            first = np.sort(first)[:s]
            scores[query, : len(first)] = scale * of_query[real][first]
            columns[query, : len(first)] = gallery.columns[found[real][first]]
            if len(first) < s and real.all() and depth < total:
                short.append(query)
        todo, depth = np.array(short, dtype=np.int64), min(total, 4 * depth)
    return Ranking(scores, columns)
