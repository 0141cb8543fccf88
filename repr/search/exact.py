"""Exact nearest neighbours through FAISS, in pieces of bounded memory, and the check that one FAISS wheel is installed.

FAISS stays on the processor: its GPU resources take up to 1.5 GiB at once beside a training (faiss StandardGpuResources.cpp),
and our sizes, up to a few 100,000 vectors, do not need it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import metadata
from typing import Any

import numpy as np
import numpy.typing as npt

from repr.arrays import Floats, Ints
from repr.errors import UserError

RESULT_BYTES = 256 * 2**20  # scores and positions of one piece of a search stay below this


@cache
def load_faiss() -> Any:
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
    try:
        import faiss
    except ImportError as error:
        found = f"{wheels[0]} is installed but does not load ({error})" if wheels else "FAISS is not installed"
        raise UserError(found, "", "Run `pip install faiss-cpu`, which runs on every machine") from None
    return faiss


def check_finite(vectors: npt.NDArray[Any], where: str, remedy: str = "Check the weights: the training may have diverged") -> None:
    """Raise UserError when a vector holds NaN or infinity: FAISS would answer with position -1 and no error."""
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        message = f"{len(bad)} of {len(vectors)} embeddings are not finite, first row {bad[0]}"
        raise UserError(message, where, remedy)


def top_k(queries: Floats, gallery: Floats, k: int) -> tuple[Floats, Ints]:
    """The k gallery rows of highest inner product for each query, best first; k is capped to the gallery.

    queries: (q, d); gallery: (n, d), float32, finite. Returns scores (q, k) and positions (q, k), never -1.
    Memory beyond the arrays: the result and what FAISS takes for one block, no (q, n) matrix.
    """
    faiss = load_faiss()
    k = min(k, len(gallery))
    if not len(queries) or not k:
        return np.empty((len(queries), k), np.float32), np.empty((len(queries), k), np.int64)
    check_finite(queries, "queries")
    scores, positions = faiss.knn(_packed(queries), _packed(gallery), k, metric=faiss.METRIC_INNER_PRODUCT)
    assert (positions >= 0).all(), "FAISS handed out -1 for finite vectors"
    return scores, positions


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


def normalised(vectors: npt.NDArray[Any]) -> Floats:
    """Rows scaled to length 1, as float32; a zero row stays zero."""
    vectors = np.asarray(vectors, dtype=np.float32)
    vectors = vectors / np.maximum(np.abs(vectors).max(axis=1, keepdims=True), np.finfo(np.float32).tiny)  # squares of tiny numbers are 0
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1), dtype=np.float32)


def _packed(vectors: npt.NDArray[Any]) -> Floats:
    return np.ascontiguousarray(vectors, dtype=np.float32)
