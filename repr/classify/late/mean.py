"""The weighted mean of the models' probabilities, its weights the likeliest on the rows that fusion learns from."""

from __future__ import annotations

import numpy as np
import torch

from repr.arrays import Doubles, Floats, Ints
from repr.classify.settings import Settings
from repr.classify.state import Restored, State

STEPS = 200  # of expectation maximisation; the likelihood is concave in the weights, and stands still long before
TINY = 1e-12  # of a probability


def mixture(own: Doubles) -> Doubles:
    """(m,) weights that sum to one and make labels likeliest. own: (m, n) each model's probability of each row's label.

    Expectation maximisation of the weights of a mixture whose components are known (Dempster, Laird and Rubin, 1977, section 4.3).
    """
    weights = np.full(len(own), 1 / len(own))
    for _ in range(STEPS):
        shares = weights[:, None] * np.maximum(own, TINY)
        weights = (shares / shares.sum(axis=0)).mean(axis=1)
    return weights


class WeightedMean:
    """weights_: (m,)."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def fit(self, probabilities: Floats, labels: Ints, generator: torch.Generator) -> WeightedMean:
        """Learn from (m, n, c) and labels (n,)."""
        self.weights_ = mixture(probabilities[:, np.arange(len(labels)), labels].astype(np.float64))
        return self

    def fuse(self, probabilities: Floats) -> Floats:
        """(m, n, c) → (n, c)."""
        return np.asarray(np.einsum("m,mnc->nc", self.weights_, probabilities), np.float32)

    def state(self) -> State:
        """The weights."""
        return State({"weights": self.weights_})

    def restore(self, state: Restored) -> WeightedMean:
        """Take over what `state` gave."""
        self.weights_ = state.arrays.doubles("weights", None)
        return self
