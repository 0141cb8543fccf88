"""Checks and small formulas on the arrays that learners are given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import logsumexp

from repr.arrays import Floats, Ints, Pixels
from repr.errors import UserError


def unit(x: np.ndarray[Any, Any]) -> Floats:
    """Rows scaled to length 1, float32 (…, d); a row of zeros stays one."""
    x = np.asarray(x, dtype=np.float32)
    norms = np.linalg.norm(x, axis=-1, keepdims=True)
    scaled: Floats = np.divide(x, norms, out=np.zeros_like(x), where=norms > 0)
    return scaled


def log_odds(scores: np.ndarray[Any, Any]) -> Floats:
    """(n, C) logits → (n,) log p/(1 − p) of the largest softmax probability p of each row; of a single class its score.

    It ranks as p does, and does not run into 1 where p would.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.shape[1] == 1 or not len(scores):
        return np.asarray(scores[:, :1].sum(axis=1), dtype=np.float32)
    ascending = np.sort(scores, axis=1)
    return np.asarray(ascending[:, -1] - logsumexp(ascending[:, :-1], axis=1), dtype=np.float32)


def as_features(x: np.ndarray[Any, Any], width: int | None = None) -> Floats:
    """`x` as float32 (n, d). Raises UserError when it is not two-dimensional, not finite, or not `width` wide."""
    x = np.ascontiguousarray(x, dtype=np.float32)
    if x.ndim != 2:
        raise UserError(f"features of shape {x.shape}, not (images, dimensions)", "", "Give one row a image")
    if width is not None and x.shape[1] != width:
        raise UserError(f"features of {x.shape[1]} dimensions, but {width} were learned", "", "Use the encoder that was learned with")
    finite = np.isfinite(x).all(axis=1)
    if not finite.all():
        raise UserError(f"the features of row {int(np.argmin(finite))} are not finite", "", "Check the encoder's weights")
    return x


def as_pixels(x: np.ndarray[Any, Any]) -> Pixels:
    """`x` as uint8 (n, s, s, 3). Raises UserError when it is something else."""
    x = np.asarray(x)
    if x.dtype != np.uint8 or x.ndim != 4 or x.shape[1] != x.shape[2] or x.shape[3] != 3:
        raise UserError(f"images of shape {x.shape} and type {x.dtype}, not uint8 (n, side, side, 3)", "", "Give packed images")
    return x


def as_labels(y: np.ndarray[Any, Any], n: int, *, first: bool) -> Ints:
    """`y` as int64 (n,). Raises UserError when it does not fit `n` images, and for an empty first step."""
    y = np.asarray(y)
    if y.shape != (n,) or (n and not np.issubdtype(y.dtype, np.integer)):
        raise UserError(f"labels of shape {y.shape} and type {y.dtype} for {n} images", "", "Give one whole number a image")
    if first and not n:
        raise UserError("the first step has no images", "", "Teach at least one class before the first increment")
    return y.astype(np.int64)


def by_class(y: Ints) -> Iterator[tuple[int, Ints]]:
    """Each class number of `y`, ascending, with the positions of its images in their order."""
    order = np.argsort(y, kind="stable")
    labels, starts = np.unique(y[order], return_index=True)
    yield from zip(labels.tolist(), np.split(order, starts[1:]), strict=False)  # of no labels, split makes one part


def check_range(name: str, value: float, low: float, high: float = np.inf) -> None:
    """Raise UserError unless value is a finite number and low <= value <= high. name: the setting's, as typed."""
    if not (low <= value <= high and np.isfinite(value)):
        limits = f"from {low:g} to {high:g}" if np.isfinite(high) else f"{low:g} or more"
        raise UserError(f"the setting {name} is {value:g}", "", f"It takes {limits}", argument="learner")


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise UserError unless `value` is one of `choices`."""
    if value not in choices:
        raise UserError(f"the setting {name} is {value}", "", f"Choose from: {', '.join(choices)}", argument="learner")
