"""Stacking: logistic regression on the logarithms of the models' probabilities (Wolpert, Stacked Generalization, 1992)."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from repr.arrays import Doubles, Floats, Ints
from repr.classify.settings import Settings
from repr.classify.state import Restored, State

TINY = 1e-6  # of a probability, before its logarithm
C = 0.1  # inverse of the penalty: c² weights are many for what a few thousand rows tell
STEPS = 500


class Stacking:
    """coef_, bias_: (c, m·c) and (c,), float64."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def fit(self, probabilities: Floats, labels: Ints, generator: torch.Generator) -> Stacking:
        """Learn from (m, n, c) and labels (n,). A class that no row has is never answered."""
        classes = probabilities.shape[2]
        fitted = LogisticRegression(C=C, max_iter=STEPS, random_state=self.settings.seed).fit(logarithms(probabilities), labels)
        known, coef, bias = fitted.classes_, fitted.coef_, fitted.intercept_
        if len(known) == 2:  # one row of weights, of the second class
            coef, bias = np.concatenate([-coef, coef]) / 2, np.concatenate([-bias, bias]) / 2
        self.coef_, self.bias_ = np.zeros((classes, coef.shape[1])), np.full(classes, -1e3)
        self.coef_[known], self.bias_[known] = coef, bias
        return self

    def fuse(self, probabilities: Floats) -> Floats:
        """(m, n, c) → (n, c)."""
        return np.asarray(softmax(logarithms(probabilities) @ self.coef_.T + self.bias_, axis=1), np.float32)

    def state(self) -> State:
        """The weights."""
        return State({"coef": self.coef_, "bias": self.bias_})

    def restore(self, state: Restored) -> Stacking:
        """Take over what `state` gave."""
        self.bias_ = state.arrays.doubles("bias", None)
        self.coef_ = state.arrays.doubles("coef", len(self.bias_), None)
        return self


def logarithms(probabilities: Floats) -> Doubles:
    """(m, n, c) → (n, m·c) natural logarithms."""
    models, rows, classes = probabilities.shape
    return np.log(np.maximum(probabilities.transpose(1, 0, 2).reshape(rows, models * classes).astype(np.float64), TINY))
