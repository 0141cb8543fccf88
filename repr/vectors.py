"""Vectors, a row each: scaled to length 1, and checked to be finite."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from repr.arrays import Floats
from repr.errors import UserError

DIVERGED = "Check the weights: the training may have diverged"


def normalised(vectors: npt.ArrayLike) -> Floats:
    """(n, d) → (n, d) float32, rows scaled to length 1; a zero row stays zero. Inner products of such rows are cosines.

    Each row is first divided by its largest entry: the squares of tiny numbers would be 0. (`repr.learners.arrays.unit` does not, and
    so differs in the last digit; the learners' figures were measured with it.)
    """
    rows = np.asarray(vectors, dtype=np.float32)
    rows = rows / np.maximum(np.abs(rows).max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms > 0, norms, 1), dtype=np.float32)


def check_finite(vectors: Floats, where: str, remedy: str = DIVERGED) -> None:
    """Raise UserError when a row of (n, d) holds NaN or infinity: FAISS would answer with position -1 and no error."""
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        raise UserError(f"{len(bad)} of {len(vectors)} embeddings are not finite, first row {bad[0]}", where, remedy)
