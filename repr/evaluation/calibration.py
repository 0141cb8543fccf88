"""Probabilities that mean what they say: temperature scaling on the validation part, expected calibration error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from repr.arrays import Bools, Floats, Ints

BINS = 15  # Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 5
RANGE = (-5.0, 5.0)  # of the natural logarithm of the temperature


def log_softmax(logits: Floats) -> Floats:
    """(n, c) → (n, c) logarithms of probabilities."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), np.float32)


def fit_temperature(logits: Floats, labels: Ints) -> float:
    """The T that makes softmax(logits / T) likeliest for labels (n,) on logits (n, c); 1 when there is no row.

    Guo et al. 2017, equation 9: one number, so the ranking stays. The logarithm of T is taken to be normal around 0 with deviation 1
    beforehand: that is lost in a hundred rows, and keeps a handful, all of them right or one very wrong, from sending T to its bound.
    """
    if not len(labels):
        return 1.0
    rows = np.arange(len(labels))

    def _loss(log_t: float) -> float:
        likelihood = float(log_softmax(logits / np.float32(np.exp(log_t)))[rows, labels].mean(dtype=np.float64))
        return log_t**2 / (2 * len(labels)) - likelihood

    return float(np.exp(minimize_scalar(_loss, bounds=RANGE, method="bounded", options={"xatol": 1e-3}).x))


def expected_calibration_error(confidence: Floats, right: Bools) -> float:
    """Mean over equal-width bins of |accuracy - confidence|, weighted by rows. confidence: (n,) of the predicted class, 0-1.

    Guo et al. 2017, equation 3; a bin holds (a, b], the first also 0. NaN without rows.
    """
    if not len(right):
        return float("nan")
    place = _bins(confidence)
    gaps = np.bincount(place, weights=right - confidence.astype(np.float64), minlength=BINS)
    return float(np.abs(gaps).sum() / len(right))


def _bins(confidence: Floats) -> Ints:
    return np.clip(np.ceil(confidence.astype(np.float64) * BINS).astype(np.int64) - 1, 0, BINS - 1)


@dataclass(frozen=True)
class Bin:
    """One bin of confidences: its number, means of confidence and of being right, and its share of the rows, fractions 0-1."""

    number: int
    confidence: float
    accuracy: float
    share: float


def reliability(confidence: Floats, right: Bools) -> list[Bin]:
    """For the figure: the bins that have rows, in their order. confidence: (n,) of the predicted class, 0-1; right: (n,)."""
    place = _bins(confidence)
    insides = {int(number): place == number for number in np.unique(place)}
    return [
        Bin(number, float(confidence[inside].mean()), float(right[inside].mean()), float(inside.mean()))
        for number, inside in insides.items()
    ]
