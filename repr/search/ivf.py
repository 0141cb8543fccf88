"""The faster, inexact search of many vectors: inverted lists around k-means centres (FAISS IVF), measured against the exact one.

FAISS saves nprobe = 1 by default, at which a search may lose a third of its answers unnoticed: here it is chosen by measurement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from repr.arrays import Floats, Ints
from repr.errors import UserError
from repr.search.exact import Engine, load_faiss, neighbours, packed

SMALLEST = 10_000  # vectors; below this the exact search takes a few milliseconds
WANTED_RECALL = 0.99  # of the ten nearest, against the exact search
POINTS_PER_LIST = 39  # fewer training points a centre make FAISS warn (Clustering.h, min_points_per_centroid)
POINTS_TAKEN = 256  # a centre; FAISS trains with no more anyway


@dataclass(frozen=True)
class Lists:
    """Number of inverted lists, how many of them are probed, and the recall@10 measured so when they were trained."""

    nlist: int
    nprobe: int
    recall_at_10: float


class Quantizer(Protocol):
    """Finds the lists of vectors."""

    def assign(self, vectors: Floats, k: int, /) -> Ints:
        """(n, k) int64, the k lists nearest to each of the vectors (n, d)."""


class ListsEngine(Engine, Protocol):
    """A FAISS IVF index, as far as it is used here. quantizer: finds the list of a vector."""

    nlist: int
    nprobe: int
    quantizer: Quantizer

    def add_core(self, n: int, vectors: object, ids: object, lists: object, /) -> None:
        """Take in n vectors with their ids and lists, all given as bare pointers."""


def check_enough(n: int, smallest: int = SMALLEST) -> None:
    """Raise UserError when `n` vectors are too few to gain from inverted lists."""
    if n < smallest:
        raise UserError(
            f"{n} vectors are too few for inverted lists (from {smallest})",
            "",
            "Leave `ivf` out: the exact search is as fast",
            argument="ivf",
        )


def train(vectors: Floats, generator: np.random.Generator, *, smallest: int = SMALLEST, queries: int = 1000) -> tuple[ListsEngine, Lists]:
    """Train centres on `vectors` (n, d) and choose the smallest nprobe (a power of two) with recall@10 >= 0.99.

    nlist is 4 sqrt(n) (FAISS wiki, "Guidelines to choose an index"), less when that leaves under 39 vectors a list.
    Recall is measured on up to `queries` of the vectors against the exact search, each left out of its own results.
    Returns the trained FAISS index, still empty, and the numbers. Raises UserError for fewer than `smallest` vectors.
    """
    n, dim = vectors.shape
    check_enough(n, smallest)
    faiss = load_faiss()
    nlist = max(1, min(int(4 * np.sqrt(n)), n // POINTS_PER_LIST))
    engine = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, nlist, faiss.METRIC_INNER_PRODUCT)
    engine.cp.seed = int(generator.integers(2**31))
    sample = generator.permutation(n)[: POINTS_TAKEN * nlist]
    engine.train(packed(vectors[np.sort(sample)]))
    full = faiss.clone_index(engine)
    full.add(packed(vectors))
    own = np.sort(generator.permutation(n)[:queries])
    lists = _measured(full, packed(vectors[own]), neighbours(vectors[own], vectors, 10, own)[1], nlist)
    engine.nprobe = lists.nprobe
    return engine, lists


def assign(engine: ListsEngine, vectors: Floats) -> Ints:
    """(n,) int64, the list of each of the vectors (n, d)."""
    return np.asarray(engine.quantizer.assign(packed(vectors), 1)[:, 0], dtype=np.int64)


def fill(engine: ListsEngine, vectors: Floats, lists: Ints) -> None:
    """Put vectors (n, d) into their known lists (n,), behind those that are there; they are known by their positions, as always."""
    faiss, vectors, lists = load_faiss(), packed(vectors), np.ascontiguousarray(lists)
    ids = np.arange(engine.ntotal, engine.ntotal + len(vectors), dtype=np.int64)
    engine.add_core(len(vectors), faiss.swig_ptr(vectors), faiss.swig_ptr(ids), faiss.swig_ptr(lists))


def _measured(full: ListsEngine, queries: Floats, exact: Ints, nlist: int) -> Lists:
    """The smallest nprobe whose results hold enough of the exact ones (q, k), which leave the query itself out."""
    nprobe = 1
    while True:
        full.nprobe = nprobe
        _, positions = full.search(queries, exact.shape[1] + 1)
        shares = [len(np.intersect1d(some, best)) / len(best) for some, best in zip(positions, exact, strict=True)]
        recall = float(np.mean(shares))
        if recall >= WANTED_RECALL or nprobe >= nlist:
            return Lists(nlist, min(nprobe, nlist), recall)
        nprobe *= 2
