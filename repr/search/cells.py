"""The faster, inexact search of many vectors: lists around k-means centres (FAISS IVF), of whole numbers or of 8 bits a number.

    centres = train_centres(vectors, 4000, generator)
    cells = Cells.empty("ivf8", centres, sample)
    cells.fill(vectors, ids, assign(centres, vectors))
    scores, ids = cells.probing(8).search(queries, 10)

Vectors are known by ids, so that the same lists serve when rows are swept. How many lists are probed is chosen by measurement
(`repr.search.calibrated`): FAISS' own default is one, at which a search may lose a third of its answers unnoticed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, Self

import numpy as np

from repr.arrays import Floats, Ints
from repr.errors import UserError
from repr.search.exact import load_faiss, packed

Kind = Literal["ivf", "ivf8"]
KINDS: tuple[Kind, ...] = ("ivf", "ivf8")
POINTS_PER_LIST = 39  # fewer training points a centre make FAISS warn (Clustering.h, min_points_per_centroid)
ROUNDS = 6  # of k-means; with ten, FAISS' default, as many lists had to be probed (tools/bench/index.py, 200,000 x 256)
CHUNK = 65_536  # vectors assigned at a time


class Engine(Protocol):
    """A FAISS IVF index, as far as it is used here. ntotal: vectors in it."""

    ntotal: int
    nlist: int
    nprobe: int
    d: int
    invlists: object

    def train(self, vectors: Floats, /) -> None:
        """Learn the range of each number, for 8 bits."""

    def search_c(self, n: int, queries: object, k: int, scores: object, ids: object, params: object, /) -> None:
        """Scores and ids (n, k), best first, -1 where there is no more; all arrays given as bare pointers."""

    def add_core(self, n: int, vectors: object, ids: object, lists: object, /) -> None:
        """Take in n vectors with their ids and lists, all given as bare pointers."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Lists of vectors, and how many of them a search probes. Searched by many threads at once; filled by one, while none searches."""

    engine: Engine
    kind: Kind
    probes: int = 1

    @classmethod
    def empty(cls, kind: Kind, centres: Floats, sample: Floats) -> Self:
        """No vectors yet. centres: (l, d); sample: (n, d) vectors from which the range of each number is learned, for "ivf8"."""
        faiss, (nlist, dim) = load_faiss(), centres.shape
        quantizer = faiss.IndexFlatIP(dim)
        quantizer.add(packed(centres))
        if kind == "ivf":
            engine = faiss.IndexIVFFlat(quantizer, dim, nlist, faiss.METRIC_INNER_PRODUCT)
        else:
            engine = faiss.IndexIVFScalarQuantizer(quantizer, dim, nlist, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT, False)
        engine.train(packed(sample))  # the centres stay
        return cls(engine, kind)

    def __len__(self) -> int:
        return self.engine.ntotal

    @property
    def bytes_a_vector(self) -> float:
        """Of codes and ids, without the centres."""
        return self.engine.d * (4 if self.kind == "ivf" else 1) + 8

    def probing(self, probes: int) -> Self:
        """The same lists, so many of which are probed."""
        return replace(self, probes=probes)

    def search(self, queries: Floats, k: int) -> tuple[Floats, Ints]:
        """Scores and ids (q, k), best first; -1 where there is no more. Of 8 bits the scores are near the cosine, not equal to it."""
        faiss = load_faiss()
        queries, pointer = packed(queries), faiss.swig_ptr
        scores, ids = np.empty((len(queries), k), np.float32), np.empty((len(queries), k), np.int64)
        # Not `search`: other packages put one in its place that takes no parameters (faiss.contrib.torch_utils).
        settings = faiss.SearchParametersIVF(nprobe=self.probes)
        self.engine.search_c(len(queries), pointer(queries), k, pointer(scores), pointer(ids), settings)
        return scores, ids

    def fill(self, vectors: Floats, ids: Ints, lists: Ints) -> None:
        """Put vectors (n, d) with their ids (n,) into their lists (n,)."""
        faiss = load_faiss()
        vectors, ids, lists = packed(vectors), np.ascontiguousarray(ids, np.int64), np.ascontiguousarray(lists, np.int64)
        self.engine.add_core(len(vectors), faiss.swig_ptr(vectors), faiss.swig_ptr(ids), faiss.swig_ptr(lists))

    def centres(self) -> Floats:
        """(l, d) the centres of the lists."""
        faiss = load_faiss()
        centres: Floats = faiss.downcast_index(self.engine.quantizer).reconstruct_n(0, self.engine.nlist)  # type: ignore[attr-defined]
        return centres

    def write(self, file: Path) -> None:
        """Write them as FAISS does. Raises OSError where that fails."""
        try:
            load_faiss().write_index(self.engine, str(file))
        except RuntimeError as error:  # FAISS' own, of every failure
            raise OSError(str(error)) from None

    @classmethod
    def read(cls, file: Path, kind: Kind, probes: int, *, mapped: bool = True) -> Self:
        """What `write` wrote. mapped: lists stay in the file, which many processes share; without, they can be filled further.

        Raises UserError for a file that is missing or broken.
        """
        faiss = load_faiss()
        try:
            engine = faiss.read_index(str(file), faiss.IO_FLAG_MMAP if mapped else 0)
            lists = faiss.downcast_InvertedLists(engine.invlists)
        except (RuntimeError, AttributeError) as error:
            raise UserError(f"not readable lists of vectors ({error})", file, "Delete it; it is made again") from None
        if mapped and hasattr(lists, "prefetch_nthread"):
            lists.prefetch_nthread = 0  # else every search starts 32 threads (OnDiskInvertedLists.cpp)
        return cls(engine, kind, probes)


def train_centres(vectors: Floats, nlist: int, generator: np.random.Generator) -> Floats:
    """(l, d) centres of length 1 by spherical k-means on up to POINTS_PER_LIST of the vectors (n, d) a list."""
    chosen = np.sort(generator.permutation(len(vectors))[: POINTS_PER_LIST * nlist])
    means = load_faiss().Kmeans(
        vectors.shape[1],
        nlist,
        niter=ROUNDS,
        spherical=True,
        seed=int(generator.integers(2**31)),
        min_points_per_centroid=1,
    )
    means.train(packed(vectors[chosen]))
    centroids: Floats = means.centroids
    return centroids


def assign(centres: Floats, vectors: Floats) -> Ints:
    """(n,) int64, the nearest of the centres (l, d) of each of the vectors (n, d), which may be memory-mapped."""
    quantizer = load_faiss().IndexFlatIP(centres.shape[1])
    quantizer.add(packed(centres))
    nearest = np.empty(len(vectors), np.int64)
    for start in range(0, len(vectors), CHUNK):
        nearest[start : start + CHUNK] = quantizer.assign(packed(vectors[start : start + CHUNK]), 1).ravel()
    return nearest
