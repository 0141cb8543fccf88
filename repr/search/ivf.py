"""The faster, inexact way to search a large index: cells around k-means centres (FAISS IVF), measured against the exact one.

ivf.faiss                the trained centres, without vectors
segment-000001.cells.npy (n,) int32, the cell of each vector of the segment

Cells are kept beside each segment, so that an addition finds the cells of the added vectors alone and opening the index
only copies. FAISS saves nprobe = 1 by default, at which an index may lose a third of its answers unnoticed: here it is chosen
by measurement and stands in the manifest.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from repr.arrays import Floats, Ints
from repr.errors import UserError
from repr.files import replacing
from repr.lookup.segments import REMEDY, Segment, read_array
from repr.search.exact import load_faiss, neighbours

SMALLEST = 10_000  # vectors; below this the exact search takes a few milliseconds
WANTED_RECALL = 0.99  # of the ten nearest, against the exact search
POINTS_PER_CELL = 39  # fewer training points a centre make FAISS warn (Clustering.h, min_points_per_centroid)


@dataclass(frozen=True)
class Cells:
    """What the manifest says: number of cells, how many are searched, and the recall@10 measured when it was built."""

    nlist: int
    nprobe: int
    recall_at_10: float


def check_enough(n: int, smallest: int = SMALLEST) -> None:
    """Raise UserError when `n` vectors are too few to gain from cells."""
    if n < smallest:
        raise UserError(
            f"{n} vectors are too few for cells (from {smallest})", "", "Leave `ivf` out: the exact search is as fast", argument="ivf"
        )


def build_cells(vectors: Floats, generator: np.random.Generator, *, smallest: int = SMALLEST, probes: int = 1000) -> tuple[Any, Cells]:
    """Train centres on `vectors` (n, d) and choose the smallest nprobe (a power of two) with recall@10 >= 0.99.

    nlist is 4 sqrt(n) (FAISS wiki, "Guidelines to choose an index"), less when that leaves under 39 vectors a cell.
    Recall is measured on up to `probes` stored vectors against the exact search, each left out of its own results.
    Returns the empty trained FAISS index and the numbers. Raises UserError for fewer than `smallest` vectors.
    """
    n, dim = vectors.shape
    check_enough(n, smallest)
    faiss = load_faiss()
    nlist = max(1, min(int(4 * np.sqrt(n)), n // POINTS_PER_CELL))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(dim), dim, nlist, faiss.METRIC_INNER_PRODUCT)
    index.cp.seed = int(generator.integers(2**31))
    sample = generator.permutation(n)[: 256 * nlist]  # FAISS takes no more than 256 points a centre anyway
    index.train(np.ascontiguousarray(vectors[np.sort(sample)]))
    full = faiss.clone_index(index)
    full.add(np.ascontiguousarray(vectors))
    own = np.sort(generator.permutation(n)[:probes])
    queries = np.ascontiguousarray(vectors[own])
    _, exact = neighbours(queries, vectors, 10, own)
    nprobe, recall = 1, 0.0
    while True:
        full.nprobe = nprobe
        _, found = full.search(queries, exact.shape[1] + 1)
        recall = float(np.mean([len(np.intersect1d(f, e)) / len(e) for f, e in zip(found, exact, strict=True)]))
        if recall >= WANTED_RECALL or nprobe >= nlist:
            return index, Cells(nlist, min(nprobe, nlist), recall)
        nprobe *= 2


def write_centres(folder: Path, index: Any) -> None:
    """Write the trained, empty FAISS index."""
    with replacing(folder / "ivf.faiss") as temporary:
        load_faiss().write_index(index, str(temporary))


def read_centres(folder: Path, cells: Cells) -> Any:
    """The trained, empty FAISS index with its nprobe set. Raises UserError when the file is missing or broken."""
    faiss = load_faiss()
    try:
        index = faiss.read_index(str(folder / "ivf.faiss"))
    except RuntimeError as error:
        raise UserError(f"not a readable FAISS file ({str(error)[:80]})", folder / "ivf.faiss", REMEDY) from None
    if index.nlist != cells.nlist or index.ntotal:
        raise UserError(f"holds {index.nlist} cells, expected {cells.nlist}", folder / "ivf.faiss", REMEDY)
    index.nprobe = cells.nprobe
    return index


def write_cells(folder: Path, segment: Segment, index: Any, vectors: Floats) -> None:
    """Find and write the cell of each vector of a segment."""
    cells = index.quantizer.assign(np.ascontiguousarray(vectors), 1)[:, 0].astype(np.int32)
    with replacing(folder / f"{segment.stem}.cells.npy") as temporary, temporary.open("wb") as stream:
        np.save(stream, cells)


def read_cells(folder: Path, segment: Segment, cells: Cells) -> Ints:
    """(n,) the cell of each vector of a segment. Raises UserError when the file does not fit."""
    file = folder / f"{segment.stem}.cells.npy"
    found = read_array(file).astype(np.int64)
    if found.shape != (segment.rows,) or (len(found) and not 0 <= found.min() <= found.max() < cells.nlist):
        raise UserError("does not fit the segment", file, REMEDY)
    return found


def fill(index: Any, vectors: Floats, cells: Ints, first: int) -> None:
    """Put vectors into their known cells; FAISS will answer with the positions first, first + 1, ..."""
    faiss = load_faiss()
    vectors = np.ascontiguousarray(vectors)
    ids = np.arange(first, first + len(vectors), dtype=np.int64)
    index.add_core(len(vectors), faiss.swig_ptr(vectors), faiss.swig_ptr(ids), faiss.swig_ptr(np.ascontiguousarray(cells)))
