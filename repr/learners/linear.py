"""Linear probe: logistic regression on features of length 1, trained again on all shots at each step.

The objective of scikit-learn's LogisticRegression(C=c): c · Σ cross-entropy + ½‖W‖². What a user gets in an afternoon.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np

from repr.arrays import Floats, Ints
from repr.learners.arrays import check_range, unit
from repr.learners.kept import KeptFeatures
from repr.learners.learner import Learner
from repr.learners.softmax_head import train_linear


class Linear(Learner):
    """Each step trains the whole head to the end, so the answer depends on the steps by the last digits alone.

    c: the weight of the shots against the penalty; 100 was chosen on training images of grocery that were no shots.
    steps: at most so many L-BFGS iterations.
    Keeps the features of all shots (not the images).
    """

    input: ClassVar[Literal["features", "images"]] = "features"

    def __init__(self, *, c: float = 100.0, steps: int = 200) -> None:
        check_range("c", c, 1e-6)
        check_range("steps", steps, 1)
        self.c = c
        self.steps = steps
        self.kept_ = KeptFeatures()
        self.weights_: Floats = np.zeros((0, 0), dtype=np.float32)  # (C, d + 1), the biases last

    @property
    def classes_(self) -> Ints:
        return self.kept_.classes

    def learn(self, x: np.ndarray[Any, Any], y: Ints) -> Self:
        before = self.kept_.classes
        if not self.kept_.add(x, y):
            return self
        kept = self.kept_
        start = np.zeros((len(kept.classes), kept.x.shape[1] + 1), dtype=np.float32)
        if len(before):
            start[np.searchsorted(kept.classes, before)] = self.weights_
        self.weights_ = train_linear(unit(kept.x), kept.columns, start, c=self.c, steps=self.steps)
        return self

    def scores(self, x: np.ndarray[Any, Any]) -> Floats:
        return np.asarray(unit(self.kept_.query(x)) @ self.weights_[:, :-1].T + self.weights_[:, -1], dtype=np.float32)
