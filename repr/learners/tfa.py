"""TFA in two stages: a cosine head on the base shots; then its last layer again on as many shots of base as of novel.

Wang et al., Frustratingly Simple Few-Shot Object Detection, ICML 2020, section 3: features stay frozen; new classes get
weights of their own trained on the novel shots alone, are set beside the base weights, and the whole layer
s · n(f) · n(w_c) is fine-tuned on a balanced set of k shots a class.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np

from repr.arrays import Array, Floats, Ints
from repr.learners.arrays import by_class, unit
from repr.learners.kept import KeptFeatures
from repr.learners.learner import Learner
from repr.learners.memory import herd
from repr.learners.softmax_head import train_cosine
from repr.learners.stored import Arrays, Stored, under
from repr.settings import check, setting


@dataclass(kw_only=True, eq=False)
class TFA(Learner):
    """k is the largest number of shots that a class of the present step has; of older classes the k best by herding.

    scale: 20 as COSINE_SCALE in the authors' fsdet/config/defaults.py.
    Keeps the features of all shots, of which the balanced set is picked, and their steps: after `remove` the steps are gone through
    again with what is left, which takes as long as all of them did.
    """

    scale: float = setting(20.0, "s, makes logits of cosines", low=1e-3)
    steps: int = setting(20, "L-BFGS iterations of the first stage, and of the new weights", low=0)
    fine: int = setting(10, "L-BFGS iterations of the balanced stage", low=0)

    input: ClassVar[Literal["features", "images"]] = "features"

    def __post_init__(self) -> None:
        check(self)
        self.kept_ = KeptFeatures()
        self.weights_: Floats = np.zeros((0, 0), dtype=np.float32)
        self.step_: Ints = np.zeros(0, dtype=np.int64)  # in which each of the shots came

    @property
    def classes_(self) -> Ints:
        """(C,) those that have kept shots."""
        return self.kept_.classes

    def learn(self, x: Array, y: Array) -> Self:
        """Keep the shots; train weights for new classes, then the whole head on a balanced set."""
        before = self.kept_.classes
        if not self.kept_.add(x, y):
            return self
        rows, means = self.kept_, self.kept_.means()
        step = self.step_[-1] + 1 if len(self.step_) else 0
        self.step_ = np.concatenate([self.step_, np.full(len(rows) - len(self.step_), step, dtype=np.int64)])
        if not len(before):
            self.weights_ = train_cosine(rows.x, rows.columns, means, scale=self.scale, steps=self.steps)
            return self
        weights = unit(means)
        weights[np.searchsorted(rows.classes, before)] = self.weights_
        new = np.flatnonzero(~np.isin(rows.classes, before))
        if len(new):
            own = np.isin(rows.columns, new)
            columns = np.searchsorted(new, rows.columns[own])
            weights[new] = train_cosine(rows.x[own], columns, weights[new], scale=self.scale, steps=self.steps)
        balanced = self._balanced(int(np.unique(np.asarray(y), return_counts=True)[1].max()))
        self.weights_ = train_cosine(rows.x[balanced], rows.columns[balanced], weights, scale=self.scale, steps=self.fine)
        return self

    def remove(self, classes: Iterable[int], x: Array | None = None, y: Array | None = None) -> Self:
        """Drop the shots of these classes and go through the steps again with those left; nothing is needed."""
        stay = self.kept_.remove(classes)
        if stay.all():
            return self
        left, step = self.kept_, self.step_[stay]
        self.kept_, self.step_ = KeptFeatures(), step[:0]
        for number in np.unique(step):
            self.learn(left.x[step == number], left.y[step == number])
        return self

    def scores(self, x: Array) -> Floats:
        """(n, C) scale · cosine to each class's weights."""
        return np.asarray(self.scale * unit(self.kept_.query(x)) @ self.weights_.T, dtype=np.float32)

    def arrays(self) -> Arrays:
        """The shots kept with their steps, and the weights (C, d)."""
        return {**under("kept", self.kept_.arrays()), "weights": self.weights_, "step": self.step_}

    def restore(self, stored: Stored) -> None:
        """Take over what `arrays` gave; weights and steps must fit the shots."""
        self.kept_.restore(stored.below("kept"))
        self.weights_ = stored.floats("weights", len(self.kept_.classes), self.kept_.x.shape[1])
        self.step_ = stored.ints("step", len(self.kept_))

    def _balanced(self, k: int) -> Ints:
        """Positions of at most k shots of each class."""
        return np.concatenate([rows[herd(self.kept_.x[rows], k)] for _, rows in by_class(self.kept_.y)])
