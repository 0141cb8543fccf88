"""Retrieval: does an image find the images of its class?

R = number of gallery images of the query's class, without the query itself. With rel(i) = 1 when result i is right:
  recall@K     any right one among the first K (one number a query: 0 or 1)
  r_precision  right ones among the first R, divided by R
  map@r        (1/R) sum_{i <= R} P(i) rel(i), P(i) = precision among the first i
               (Musgrave et al., A Metric Learning Reality Check, ECCV 2020, arXiv 2003.08505, section 3.2)
  mrr          1 / rank of the first right one in the whole gallery
Micro: mean over queries. Macro: mean over the queries' classes of the mean in each. A query whose class has no other
image in the gallery ("lone") has nothing to find: it is left out and counted. The same numbers as
pytorch-metric-learning's AccuracyCalculator with k=None, in bounded memory.

Ties: images with equal scores stand in FAISS's order, and beyond its results in the gallery's; neither knows labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repr.arrays import Bools, Doubles, Floats, Ints
from repr.errors import UserError
from repr.search.exact import neighbours, pieces

KS = (1, 5, 10)
NAMES = (*(f"recall@{k}" for k in KS), "map@r", "r_precision", "mrr")
BLOCK_BYTES = 256 * 2**20  # of one block of similarities, where the first right one is far down


@dataclass(frozen=True)
class Retrieval:
    """per_query: (m, 6) float64, columns NAMES, for the queries that have something to find; rows: (m,) their positions;
    labels: (m,) their classes; lone: number of queries left out; nearest: (q,) position of every query's first result, -1
    where the gallery holds nothing but the query."""

    per_query: Doubles
    rows: Ints
    labels: Ints
    lone: int
    nearest: Ints

    @property
    def micro(self) -> dict[str, float]:
        """Mean over queries, fractions 0-1."""
        return dict(zip(NAMES, self.per_query.mean(axis=0).tolist(), strict=True))

    @property
    def macro(self) -> dict[str, float]:
        """Mean over classes of the mean over the class's queries, fractions 0-1."""
        _, codes, counts = np.unique(self.labels, return_inverse=True, return_counts=True)
        sums = np.zeros((len(counts), len(NAMES)))
        np.add.at(sums, codes, self.per_query)
        return dict(zip(NAMES, (sums / counts[:, None]).mean(axis=0).tolist(), strict=True))


def retrieval(queries: Floats, query_labels: Ints, gallery: Floats | None = None, gallery_labels: Ints | None = None) -> Retrieval:
    """Measure queries (q, d) with labels (q,) against a gallery (n, d) with labels (n,), all L2-normalised.

    Without a gallery every image is searched among all the others (leave one out). Memory beyond the arrays: a few
    hundred MiB for any n. Raises UserError when every query is lone.
    """
    assert (gallery is None) == (gallery_labels is None)
    own = np.arange(len(queries)) if gallery is None else None
    if gallery is None or gallery_labels is None:
        gallery, gallery_labels = queries, query_labels
    assert len(queries) == len(query_labels) and len(gallery) == len(gallery_labels)
    classes, counts = np.unique(gallery_labels, return_counts=True)
    relevant = _count(query_labels, classes, counts) - (own is not None)
    rows = np.flatnonzero(relevant > 0)
    if not len(rows):
        if own is None:
            raise UserError("no query's class is in the gallery", "", "Check that both have the same labels for the same products")
        raise UserError("no query has another image of its class to find", "", "Give classes of two or more images")
    nearest = np.full(len(queries), -1, np.int64)
    lone = np.flatnonzero(relevant <= 0)
    if len(gallery) > (own is not None):
        nearest[lone] = neighbours(queries[lone], gallery, 1, None if own is None else own[lone])[1][:, 0]
    # Queries of small classes need few results and those of large ones many: pieces of similar R keep searches short.
    order = rows[np.argsort(relevant[rows], kind="stable")]
    per_query = np.empty((len(queries), len(NAMES)))
    start = 0
    while start < len(order):
        rest = order[start:]
        first = next(pieces(len(rest), max(int(relevant[rest[0]]), max(KS)) * 2 + 1))
        part = rest[first]
        part = part[relevant[part] <= max(2 * relevant[part[0]], max(KS))]
        hits, nearest[part] = _hits(queries[part], query_labels[part], gallery, gallery_labels, relevant[part], own, part)
        per_query[part, :-1] = _measures(hits, relevant[part])
        per_query[part, -1] = _reciprocal_ranks(hits, queries[part], query_labels[part], gallery, gallery_labels, own, part)
        start += len(part)
    return Retrieval(per_query[rows], rows, np.asarray(query_labels[rows], np.int64), len(lone), nearest)


def right_on_level(nearest: Ints, query_labels: Ints, gallery_labels: Ints, *, apart: bool) -> float | None:
    """The share (0-1) of queries whose first result is right on one level: class, sub-class or sub-sub-class.

    nearest: (q,) positions in the gallery, of which the queries are a part unless `apart`; labels on the level, -1 for none. Queries
    without a label, and lone ones, are left out; None where all are.
    """
    classes, counts = np.unique(gallery_labels, return_counts=True)
    judged = (query_labels >= 0) & (nearest >= 0) & (_count(query_labels, classes, counts) > (not apart))
    return float((gallery_labels[nearest[judged]] == query_labels[judged]).mean()) if judged.any() else None


def _count(labels: Ints, classes: Ints, counts: Ints) -> Ints:
    """How many gallery images have each label."""
    positions = np.clip(np.searchsorted(classes, labels), 0, len(classes) - 1)
    return np.asarray(np.where(classes[positions] == labels, counts[positions], 0), np.int64)


def _hits(
    queries: Floats, labels: Ints, gallery: Floats, gallery_labels: Ints, relevant: Ints, own: Ints | None, part: Ints
) -> tuple[Bools, Ints]:
    """(q, k) whether each result is right, k = the largest R of the piece or of KS; and each query's first result."""
    k = max(int(relevant.max()), max(KS))
    _, positions = neighbours(queries, gallery, k, None if own is None else own[part])
    return gallery_labels[positions] == labels[:, None], positions[:, 0]


def _measures(hits: Bools, relevant: Ints) -> Doubles:
    """(q, 5) recall@K for KS, map@r, r_precision."""
    recall = [hits[:, :k].any(axis=1) for k in KS]
    ranks = np.arange(1, hits.shape[1] + 1)
    within = hits & (ranks <= relevant[:, None])
    precision = np.cumsum(within, axis=1) / ranks
    return np.column_stack([*recall, (precision * within).sum(axis=1) / relevant, within.sum(axis=1) / relevant])


def _reciprocal_ranks(
    hits: Bools,
    queries: Floats,
    labels: Ints,
    gallery: Floats,
    gallery_labels: Ints,
    own: Ints | None,
    part: Ints,
) -> Doubles:
    """1 / rank of the first right result; where it is not among the hits, by counting what scores higher, block by block."""
    has_hit = hits.any(axis=1)
    ranks = np.where(has_hit, hits.argmax(axis=1) + 1, 0).astype(np.float64)
    missing = np.flatnonzero(~has_hit)
    step = max(1, BLOCK_BYTES // (4 * len(gallery)))
    for start in range(0, len(missing), step):
        block = missing[start : start + step]
        scores = queries[block] @ gallery.T
        if own is not None:
            scores[np.arange(len(block)), own[part[block]]] = -np.inf
        for row, of_row in zip(block, scores, strict=True):
            right = np.flatnonzero((gallery_labels == labels[row]) & np.isfinite(of_row))
            first = right[of_row[right].argmax()]
            ahead = int((of_row > of_row[first]).sum() + (of_row[:first] == of_row[first]).sum())
            ranks[row] = max(1 + ahead, hits.shape[1] + 1)
    return 1 / ranks
