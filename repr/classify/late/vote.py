"""Majority vote: every model has one vote, ties go to the higher mean probability (Bi, Wang and Fan, SIGIR eCom 2020, section 3.4)."""

from __future__ import annotations

import numpy as np
import torch

from repr.arrays import Floats, Ints
from repr.classify.settings import Settings
from repr.classify.state import Restored, State


def voted(probabilities: Floats) -> Floats:
    """(m, n, c) of m models → (n, c) that sum to one and whose largest is the class with most votes, ties by the mean probability.

    The votes and the mean probability, which is below one vote, in one sum.
    """
    models, rows, classes = probabilities.shape
    votes = np.zeros((rows, classes), np.float32)
    for of_model in probabilities:
        votes[np.arange(rows), of_model.argmax(axis=1)] += 1
    return np.asarray((votes + probabilities.mean(axis=0)) / (models + 1), np.float32)


class Vote:
    """Learns nothing."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def fit(self, probabilities: Floats, labels: Ints, generator: torch.Generator) -> Vote:
        """(m, n, c) and labels (n,), of which nothing is made."""
        return self

    def fuse(self, probabilities: Floats) -> Floats:
        """(m, n, c) → (n, c)."""
        return voted(probabilities)

    def state(self) -> State:
        """Nothing."""
        return State()

    def restore(self, state: Restored) -> Vote:
        """Nothing."""
        return self
