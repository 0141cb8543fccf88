"""Exact nearest neighbours through FAISS, in pieces of bounded memory, and the check that one FAISS wheel is installed.

FAISS stays on the processor: its GPU resources take up to 1.5 GiB at once beside a training (faiss StandardGpuResources.cpp),
and our sizes, up to a few 100,000 vectors, do not need it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib import metadata
from types import ModuleType
from typing import Protocol

import numpy as np

from repr.arrays import Floats, Ints
from repr.errors import UserError
from repr.machine import calm_after_fork
from repr.vectors import check_finite

try:
    import faiss
except ImportError as error:  # told by `load_faiss`, in words, when it is needed
    faiss, MISSING = None, str(error)  # type: ignore[assignment]
else:
    MISSING = ""
    calm_after_fork(faiss.omp_set_num_threads)

RESULT_BYTES = 256 * 2**20  # scores and positions of one piece of a search stay below this


class Engine(Protocol):
    """A FAISS index, as far as it is used here. ntotal: vectors in it; they are known by the order in which they were added."""

    ntotal: int

    def add(self, vectors: Floats, /) -> None:
        """Take in (n, d) contiguous vectors."""

    def search(self, queries: Floats, k: int, /) -> tuple[Floats, Ints]:
        """Scores (q, k) and positions (q, k), best first; -1 where there is no more."""


@cache
def load_faiss() -> ModuleType:
    """The faiss module. Raises UserError when no wheel, or two wheels over one another, are installed (faiss issue #2892)."""
    wheels = []
    for name in ("faiss-cpu", "faiss-gpu"):
        try:
            metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        wheels.append(name)
    if len(wheels) > 1:
        remedy = "Uninstall both, then install faiss-cpu or faiss-gpu"
        raise UserError("faiss-cpu and faiss-gpu are both installed and overwrite each other's files", "", remedy)
    if faiss is None:
        what = f"{wheels[0]} is installed but does not load ({MISSING})" if wheels else "FAISS is not installed"
        raise UserError(what, "", "Run `pip install faiss-cpu`, which runs on every machine")
    return faiss


def flat(dim: int) -> Engine:
    """An empty FAISS index for exact search by inner product among vectors of `dim` numbers."""
    engine: Engine = load_faiss().IndexFlatIP(dim)
    return engine


def top_k(queries: Floats, gallery: Floats, k: int) -> tuple[Floats, Ints]:
    """The k gallery rows of highest inner product for each query, best first; k is capped to the gallery.

    queries: (q, d); gallery: (n, d), float32, finite. Returns scores (q, k) and positions (q, k), never -1.
    Memory beyond the arrays: the result and what FAISS takes for one block, no (q, n) matrix.
    Raises UserError for queries that are not finite, and when FAISS is not installed.
    """
    k = min(k, len(gallery))
    if not len(queries) or not k:
        return np.empty((len(queries), k), np.float32), np.empty((len(queries), k), np.int64)
    check_finite(queries, "queries")
    library = load_faiss()
    scores, positions = library.knn(packed(queries), packed(gallery), k, metric=library.METRIC_INNER_PRODUCT)
    assert (positions >= 0).all(), "FAISS handed out -1 for finite vectors"
    return scores, positions


def top_k_of(queries: Floats, parts: Sequence[Floats], k: int) -> tuple[Floats, Ints]:
    """As `top_k`, of a gallery in parts that follow each other, none of which is copied: they may be memory-mapped."""
    best_of_parts, start = list[tuple[Floats, Ints]](), 0
    for part in parts:
        scores, positions = top_k(queries, part, k)
        best_of_parts.append((scores, positions + start))
        start += len(part)
    if len(best_of_parts) == 1:
        return best_of_parts[0]
    scores = np.concatenate([np.empty((len(queries), 0), np.float32), *(one for one, _ in best_of_parts)], axis=1)
    positions = np.concatenate([np.empty((len(queries), 0), np.int64), *(one for _, one in best_of_parts)], axis=1)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, best, 1), np.take_along_axis(positions, best, 1)


def neighbours(queries: Floats, gallery: Floats, k: int, own: Ints | None = None) -> tuple[Floats, Ints]:
    """As `top_k`, but leaves the query's own row out of its results.

    own: (q,) position of the query itself in the gallery, or None when the two sets are apart. It is left out by
    position, so a twin of the query, with the same vector, stays a neighbour.
    """
    if own is None:
        return top_k(queries, gallery, k)
    k = min(k, len(gallery) - 1)
    scores, positions = top_k(queries, gallery, k + 1)
    keep = positions != own[:, None]
    keep[keep.all(axis=1), -1] = False  # more than k twins crowd the row itself out: drop the last instead
    return scores[keep].reshape(len(queries), k), positions[keep].reshape(len(queries), k)


def pieces(n: int, k: int) -> Iterator[slice]:
    """Slices over n queries such that scores and positions of k results each stay below RESULT_BYTES."""
    step = max(1, RESULT_BYTES // (12 * max(k, 1)))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def packed(vectors: Floats) -> Floats:
    """(n, d) float32 in one piece of memory, as FAISS wants it."""
    return np.ascontiguousarray(vectors, dtype=np.float32)
