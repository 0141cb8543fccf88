"""The best products of a query: by the scores of a learner, or by the stored images nearest to it, through FAISS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repr.arrays import Floats, Ints
from repr.learners.learner import Learner
from repr.lookup.gallery import GONE, Gallery
from repr.lookup.matches import END, Search
from repr.search.exact import pieces, top_k_of
from repr.vectors import normalised

SHORTLIST = 20  # products whose scores count for a probability, in a big shop as in a small one


@dataclass(frozen=True, eq=False)
class Ranking:
    """Products of each query, best first. scores: (q, s), −inf where there is no product; columns: (q, s) numbers in `Gallery.names`."""

    scores: Floats
    columns: Ints


def image_search(gallery: Gallery, whole: Search | None = None) -> Search:
    """Search by cosine among the images of a gallery that were not removed.

    whole: a search of all of its rows, removed ones among them; the exact one by itself.
    """
    n, dead = len(gallery), len(gallery) - len(gallery.alive)

    def _search(queries: Floats, k: int) -> tuple[Floats, Ints]:
        """As `Search`. What was removed is passed over by asking for more; who gets too few is answered by the exact search."""
        k = min(k, n - dead)
        cosines, rows = np.full((len(queries), k), -1, dtype=np.float32), np.full((len(queries), k), GONE, dtype=np.int64)
        todo, depth = np.arange(len(queries)), min(n, k + min(dead, k))
        while len(todo) and k:
            found, places = whole(queries[todo], depth) if whole else top_k_of(queries[todo], gallery.pieces, depth)
            living = (places >= 0) & (gallery.columns[places] != GONE)
            order = np.argsort(~living, axis=1, kind="stable")[:, :k]
            full = living.sum(axis=1) >= k
            cosines[todo[full]] = np.take_along_axis(found, order, axis=1)[full]
            rows[todo[full]] = np.take_along_axis(places, order, axis=1)[full]
            ended = ~full & ((places == END).any(axis=1) | (depth == n))
            if ended.any():
                cosines[todo[ended]], rows[todo[ended]] = image_search(gallery)(queries[todo[ended]], k)
            todo, depth = todo[~full & ~ended], min(n, 4 * depth)
        return cosines, rows

    return _search


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
    queries, total = normalised(x), len(gallery.alive)
    s = min(s, len(gallery.present))
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
