"""Which search, chosen on the vectors themselves: exact, or lists, of whole numbers or 8 bits, with the fewest probes that miss little.

    chosen, cells, tried = calibrate(vectors, ids, recall=0.95, generator=generator)

Every setting is measured against the exact search on some of the stored vectors, each left out of its own results. A setting reaches the
recall when it does so by two standard errors. Of those that do, the cheapest is taken: of the fastest and those at most half as slow again,
the one of the fewest bytes. Hits of 8 bits are scored anew from the vectors, so that scores are cosines, whatever the kind.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from repr.arrays import Floats, Ints
from repr.search.cells import CHUNK, KINDS, Cells, assign, train_centres
from repr.search.exact import neighbours

SearchKind = Literal["exact", "ivf", "ivf8"]
Rows = Callable[[Ints], Floats]  # ids (m,) of vectors → them (m, d)

EXACT = 50_000_000  # numbers (n x d) up to which the exact search is fast: 200 MB, which one core reads in some 20 ms
QUERIES = 500  # that are measured
WIDER = 2  # times k hits of 8 bits that are scored anew
ALIKE = 1.5  # times as many queries a second are not worth more bytes
FLAT_BYTES = 2**30  # of vectors up to which they are kept twice, to be searched without scoring anew
WORK = 4e12  # multiplications to assign vectors to finer lists; past it only the coarser are tried
LISTS = (2.0, 4.0)  # times the root of n (FAISS wiki, "Guidelines to choose an index")
GATHERED = 2**24  # numbers of vectors gathered at a time to be scored anew: 64 MB
WORTH = 2.0  # times the exact search's queries a second, below which that is taken
FEWEST = 1000  # vectors; below this lists of them are not worth trying, whatever their width


@dataclass(frozen=True)
class Tried:
    """A setting and what was measured: recall@10 with its standard error, queries a second of a core (in one batch, by processor
    time, which others on the machine do not change), bytes a vector."""

    kind: SearchKind
    lists: int
    probes: int
    recall_at_10: float
    error: float
    queries_a_second: float
    bytes_a_vector: float

    def reaches(self, recall: float) -> bool:
        """Whether it does so by two standard errors."""
        return self.recall_at_10 - 2 * self.error >= recall

    def words(self) -> str:
        """A line of the table."""
        where = f"{self.kind}, {self.probes} of {self.lists} lists" if self.lists else self.kind
        return f"{where:28} recall@10 {self.recall_at_10:6.1%}  {self.queries_a_second:9,.0f} queries/s  {self.bytes_a_vector:7,.0f} bytes"


def is_fast_exact(n: int, dim: int) -> bool:
    """Whether so many vectors are searched exactly, without a look at other ways."""
    return n * dim <= EXACT or n < FEWEST


def calibrate(
    vectors: Floats, ids: Ints, *, recall: float, generator: np.random.Generator
) -> tuple[Tried, Cells | None, tuple[Tried, ...]]:
    """The cheapest setting that reaches `recall`, its lists, filled (None: the exact search is it), and all that were tried.

    vectors: (n, d) float32 of length 1, which may be memory-mapped. ids: (n,) int64, ascending.
    """
    own = np.sort(generator.permutation(len(vectors))[:QUERIES])
    probe = Probe.of(vectors, ids, own)
    tried, best = [probe.exact], tuple[Tried, Cells | None]((probe.exact, None))
    for nlist in _lists(*vectors.shape):
        centres = train_centres(vectors, nlist, generator)
        lists = assign(centres, vectors)
        for kind in KINDS:
            if kind == "ivf" and 4 * vectors.size > FLAT_BYTES:
                continue
            cells = filled(Cells.empty(kind, centres, vectors[:: max(1, len(vectors) // CHUNK)]), vectors, ids, lists)
            measured = probe.climb(cells, recall)
            tried += measured
            if (
                measured[-1].reaches(recall)
                and measured[-1].queries_a_second > WORTH * probe.exact.queries_a_second
                and _cheaper(measured[-1], best[0])
            ):
                best = measured[-1], cells.probing(measured[-1].probes)
    return *best, tuple(tried)


def filled(cells: Cells, vectors: Floats, ids: Ints, lists: Ints) -> Cells:
    """The cells with vectors (n, d) in their lists (n,), a chunk at a time."""
    for start in range(0, len(vectors), CHUNK):
        part = slice(start, start + CHUNK)
        cells.fill(vectors[part], ids[part], lists[part])
    return cells


def rescored(cells: Cells, rows: Rows, queries: Floats, k: int) -> tuple[Floats, Ints]:
    """Cosines and ids (q, k) of the best hits, best first; -1 where there is no more. Of 8 bits, more are looked at and scored anew."""
    rough, ids = cells.search(queries, k if cells.kind == "ivf" else min(WIDER * k, max(len(cells), 1)))
    if cells.kind == "ivf":
        return rough, ids
    scores = np.full(ids.shape, -np.inf, np.float32)
    step = max(1, GATHERED // max(ids.shape[1] * queries.shape[1], 1))
    for start in range(0, len(queries), step):
        part = slice(start, start + step)
        known, places = np.unique(ids[part], return_inverse=True)
        vectors = rows(np.maximum(known, 0))[places.reshape(ids[part].shape)]
        scores[part] = np.einsum("qd,qkd->qk", queries[part], vectors)
    scores[ids < 0] = -np.inf
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, best, 1), np.take_along_axis(ids, best, 1)


@dataclass(frozen=True, eq=False)
class Probe:
    """Some of the vectors as queries (q, d), with their own ids (q,) and the ids of their ten nearest others (q, 10)."""

    queries: Floats
    own: Ints
    nearest: Ints
    rows: Rows
    exact: Tried

    @classmethod
    def of(cls, vectors: Floats, ids: Ints, own: Ints) -> Probe:
        """own: positions (q,) of the vectors that ask."""
        queries = np.ascontiguousarray(vectors[own])
        begun = time.process_time()
        _, positions = neighbours(queries, vectors, 10, own)
        rate = len(own) / max(time.process_time() - begun, 1e-9)
        exact = Tried("exact", 0, 0, 1.0, 0.0, rate, 4.0 * vectors.shape[1])
        return cls(queries, ids[own], ids[positions], lambda wanted: vectors[np.searchsorted(ids, wanted)], exact)

    def measure(self, cells: Cells) -> Tried:
        """What these cells find, and how fast."""
        k = self.nearest.shape[1]
        rescored(cells, self.rows, self.queries[:8], k + 1)  # the first touch of memory is not the search's
        begun = time.process_time()
        _, answers = rescored(cells, self.rows, self.queries, k + 1)
        rate = len(self.queries) / max(time.process_time() - begun, 1e-9)
        pairs = zip(answers, self.own, self.nearest, strict=True)
        shares = np.array([len(np.intersect1d(some[some != own][:k], best)) / k for some, own, best in pairs])
        error = float(shares.std() / np.sqrt(len(shares)))
        return Tried(cells.kind, cells.engine.nlist, cells.probes, float(shares.mean()), error, rate, cells.bytes_a_vector)

    def climb(self, cells: Cells, recall: float, start: int = 1) -> list[Tried]:
        """Measurements with more and more probes, until the recall is reached, or it is not worth missing anything."""
        measured = []
        for probes in _probes(start, cells.engine.nlist):
            measured.append(self.measure(cells.probing(probes)))
            if measured[-1].reaches(recall) or measured[-1].queries_a_second < WORTH * self.exact.queries_a_second:
                break
        return measured


def _probes(start: int, nlist: int) -> Sequence[int]:
    """1, 2, 3, 4, 6, 8, 12, … up to all lists, from `start` on."""
    steps = sorted({1, 2, 3, *(factor * 2**power for power in range(1, 20) for factor in (2, 3))})
    return [start, *(probes for probes in steps if start < probes < nlist), *([nlist] if start < nlist else [])]


def _lists(n: int, dim: int) -> list[int]:
    """Numbers of lists to try, coarse ones first."""
    counts = [max(1, int(factor * np.sqrt(n))) for factor in LISTS]
    return [count for place, count in enumerate(counts) if not place or float(n) * dim * count <= WORK]


def _cheaper(one: Tried, other: Tried) -> bool:
    ratio = one.queries_a_second / other.queries_a_second
    if 1 / ALIKE <= ratio <= ALIKE and one.bytes_a_vector != other.bytes_a_vector:
        return one.bytes_a_vector < other.bytes_a_vector
    return ratio > 1
