"""Checks and small formulas on the arrays that learners are given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from scipy.special import logsumexp

from repr.arrays import Array, Floats, Ints, Pixels
from repr.errors import UserError


def unit(x: Array) -> Floats:
    """Rows scaled to length 1, float32 (…, d); a row of zeros stays one."""
    x = np.asarray(x, dtype=np.float32)
    norms = np.linalg.norm(x, axis=-1, keepdims=True)
    scaled: Floats = np.divide(x, norms, out=np.zeros_like(x), where=norms > 0)
    return scaled


def log_odds(scores: Array) -> Floats:
    """(n, C) logits → (n,) log p/(1 − p) of the largest softmax probability p of each row; of a single class its score.

    It ranks as p does, and does not run into 1 where p would.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.shape[1] == 1 or not len(scores):
        return np.asarray(scores[:, :1].sum(axis=1), dtype=np.float32)
    ascending = np.sort(scores, axis=1)
    return np.asarray(ascending[:, -1] - logsumexp(ascending[:, :-1], axis=1), dtype=np.float32)


def as_features(x: Array, width: int | None = None) -> Floats:
    """`x` as float32 (n, d). Raises UserError when it is not two-dimensional, not finite, or not `width` wide."""
    x = np.ascontiguousarray(x, dtype=np.float32)
    if x.ndim != 2:
        raise UserError(f"features of shape {x.shape}, not (images, dimensions)", "", "Give one row an image")
    if width is not None and x.shape[1] != width:
        raise UserError(f"features of {x.shape[1]} dimensions, but {width} were learned", "", "Use the encoder that was learned with")
    finite = np.isfinite(x).all(axis=1)
    if not finite.all():
        raise UserError(f"the features of row {int(np.argmin(finite))} are not finite", "", "Check the encoder's weights")
    return x


def as_pixels(x: Array) -> Pixels:
    """`x` as uint8 (n, s, s, 3). Raises UserError when it is something else."""
    x = np.asarray(x)
    if x.dtype != np.uint8 or x.ndim != 4 or x.shape[1] != x.shape[2] or x.shape[3] != 3:
        raise UserError(f"images of shape {x.shape} and type {x.dtype}, not uint8 (n, side, side, 3)", "", "Give packed images")
    return x


def as_labels(y: Array, n: int, *, first: bool) -> Ints:
    """`y` as int64 (n,). Raises UserError when it does not fit `n` images, and for an empty first step."""
    y = np.asarray(y)
    if y.shape != (n,) or (n and not np.issubdtype(y.dtype, np.integer)):
        raise UserError(f"labels of shape {y.shape} and type {y.dtype} for {n} images", "", "Give one whole number an image")
    if first and not n:
        raise UserError("the first step has no images", "", "Teach at least one class before the first increment")
    return y.astype(np.int64)


def by_class(y: Ints) -> Iterator[tuple[int, Ints]]:
    """Each class number of `y`, ascending, with the positions of its images in their order."""
    order = np.argsort(y, kind="stable")
    labels, starts = np.unique(y[order], return_index=True)
    yield from zip(labels.tolist(), np.split(order, starts[1:]), strict=False)  # of no labels, split makes one part


def as_taught(classes: Iterable[int], taught: Ints) -> Ints:
    """The class numbers `classes`, sorted, each once. taught: (C,) sorted. Raises UserError for one that was never taught."""
    labels = np.unique(np.fromiter(classes, dtype=np.int64))
    strangers = np.setdiff1d(labels, taught)
    if len(strangers):
        raise UserError(f"class {strangers[0]} is not among the {len(taught):,} taught", "", "Remove only what was taught")
    return labels


def given(x: Array | None, y: Array | None, labels: Ints, what: str, kind: str = "vectors") -> tuple[Array, Ints]:
    """The rows of x and y whose class is in `labels`, for a learner that cannot `remove` without them.

    what: which classes those are, in words; kind: "vectors" or "images". Raises UserError when none were given, or a class has no row.
    """
    if x is None or y is None:
        raise UserError(f"the {kind} of {what} are needed, and were not given", "", "Give those that it was taught with, as x and y")
    y = as_labels(y, len(x), first=False)
    absent = np.setdiff1d(labels, y)
    if len(absent):
        raise UserError(f"the {kind} of {what} are needed, and class {absent[0]} has none among those given", "", "Give all of them")
    chosen = np.isin(y, labels)
    return x[chosen], y[chosen]
