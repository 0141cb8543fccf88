"""The weighted product of the models' probabilities, its exponents the likeliest on the rows that fusion learns from.

The logarithmic opinion pool (Heskes, Selecting Weighting Factors in Logarithmic Opinion Pools, NIPS 1997): one number a model, none a
class, so that it has nothing to learn of rare classes. Where models err for reasons of their own, it is surer than each of them; a mean is
not.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import softmax

from repr.arrays import Doubles, Floats, Ints
from repr.classify.settings import Settings
from repr.classify.state import Restored, State

TINY = 1e-6  # of a probability, before its logarithm, as stacking has it


def exponents(logs: Doubles, labels: Ints) -> Doubles:
    """(m,) numbers from 0 up that make labels (n,) likeliest. logs: (m, n, c) logarithms. The likelihood is concave in them."""
    rows = np.arange(len(labels))
    own = logs[:, rows, labels]

    def loss(weights: Doubles) -> tuple[float, Doubles]:
        """Mean negative log-likelihood, and its gradient: expected minus own logarithms."""
        scores = np.einsum("m,mnc->nc", weights, logs)
        scores -= scores.max(axis=1, keepdims=True)
        likely = np.exp(scores)
        total = likely.sum(axis=1)
        gradient = np.einsum("mnc,nc->m", logs, likely / total[:, None]) - own.sum(axis=1)
        return float((np.log(total) - scores[rows, labels]).mean()), gradient / len(labels)

    likeliest = minimize(loss, np.ones(len(logs)), jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(logs))
    return np.asarray(likeliest.x, np.float64)


class WeightedProduct:
    """weights_: (m,) the exponents."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def fit(self, probabilities: Floats, labels: Ints, generator: torch.Generator) -> WeightedProduct:
        """Learn from (m, n, c) and labels (n,), but for rows whose class no model was taught: all of it is in one fold."""
        taught = (probabilities[:, np.arange(len(labels)), labels] > 0).any(axis=0)
        self.weights_ = exponents(_logarithms(probabilities[:, taught]), labels[taught]) if taught.any() else np.ones(len(probabilities))
        return self

    def fuse(self, probabilities: Floats) -> Floats:
        """(m, n, c) → (n, c)."""
        return np.asarray(softmax(np.einsum("m,mnc->nc", self.weights_, _logarithms(probabilities)), axis=1), np.float32)

    def state(self) -> State:
        """The exponents."""
        return State({"weights": self.weights_})

    def restore(self, state: Restored) -> WeightedProduct:
        """Take over what `state` gave."""
        self.weights_ = state.arrays.doubles("weights", None)
        return self


def _logarithms(probabilities: Floats) -> Doubles:
    return np.log(np.maximum(probabilities.astype(np.float64), TINY))
