"""Linear probe: logistic regression on features of length 1, trained again on all shots at each step.

The objective of scikit-learn's LogisticRegression(C=c): c · Σ cross-entropy + ½‖W‖². What a user gets in an afternoon.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np

from repr.arrays import Array, Floats, Ints
from repr.learners.arrays import unit
from repr.learners.kept import KeptFeatures
from repr.learners.learner import Learner
from repr.learners.softmax_head import train_linear
from repr.learners.stored import Arrays, Stored, under
from repr.settings import check, setting


@dataclass(kw_only=True, eq=False)
class Linear(Learner):
    """Each step trains the whole head on all shots so far, from the weights of the step before. The objective has one minimum, but the
    training stops within its tolerance of it, on the side from which it came: taught in seven increments instead of one, novel classes
    lost 0.7 points. After `remove` the head is trained anew from zero, as one that was taught what is left at once.

    c: 100 was chosen on training images of grocery that were no shots.
    Keeps the features of all shots (not the images).
    """

    c: float = setting(100.0, "the weight of the shots against the penalty", low=1e-6)
    steps: int = setting(200, "at most so many L-BFGS iterations", low=1)

    input: ClassVar[Literal["features", "images"]] = "features"

    def __post_init__(self) -> None:
        check(self)
        self.kept_ = KeptFeatures()
        self.weights_: Floats = self._zeros()  # (C, d + 1), the biases last

    @property
    def classes_(self) -> Ints:
        """(C,) those that have kept shots."""
        return self.kept_.classes

    def learn(self, x: Array, y: Array) -> Self:
        """Keep the shots and go on training the head, on all that are kept."""
        before = self.kept_.classes
        if not self.kept_.add(x, y):
            return self
        start = self._zeros()
        if len(before):
            start[np.searchsorted(self.kept_.classes, before)] = self.weights_
        self._train(start)
        return self

    def remove(self, classes: Iterable[int], x: Array | None = None, y: Array | None = None) -> Self:
        """Drop the shots of these classes and train anew on the others; nothing is needed."""
        if not self.kept_.remove(classes).all():
            self._train(self._zeros())
        return self

    def scores(self, x: Array) -> Floats:
        """(n, C) logits of the head for features of length 1."""
        return np.asarray(unit(self.kept_.query(x)) @ self.weights_[:, :-1].T + self.weights_[:, -1], dtype=np.float32)

    def arrays(self) -> Arrays:
        """The shots kept and the weights (C, d + 1)."""
        return {**under("kept", self.kept_.arrays()), "weights": self.weights_}

    def restore(self, stored: Stored) -> None:
        """Take over what `arrays` gave; the weights must fit the shots."""
        self.kept_.restore(stored.below("kept"))
        self.weights_ = stored.floats("weights", *self._zeros().shape)

    def _zeros(self) -> Floats:
        return np.zeros((len(self.kept_.classes), self.kept_.x.shape[1] + 1), dtype=np.float32)

    def _train(self, start: Floats) -> None:
        self.weights_ = train_linear(unit(self.kept_.x), self.kept_.columns, start, c=self.c, steps=self.steps)
