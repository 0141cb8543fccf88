"""TFA in two stages: a cosine head on the base shots; then its last layer again on as many shots of base as of novel.

Wang et al., Frustratingly Simple Few-Shot Object Detection, ICML 2020, section 3: features stay frozen; new classes get
weights of their own trained on the novel shots alone, are set beside the base weights, and the whole layer
s · n(f) · n(w_c) is fine-tuned on a balanced set of k shots a class.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np

from repr.arrays import Floats, Ints
from repr.learners.arrays import by_class, check_range, unit
from repr.learners.kept import KeptFeatures
from repr.learners.learner import Learner
from repr.learners.memory import herd
from repr.learners.softmax_head import train_cosine


class TFA(Learner):
    """k is the largest number of shots that a class of the present step has; of older classes the k best by herding.

    scale: s, 20 as COSINE_SCALE in the authors' fsdet/config/defaults.py.
    steps: L-BFGS iterations of the first stage and of the new weights; fine: those of the balanced stage.
    Keeps the features of all shots, of which the balanced set is picked.
    """

    input: ClassVar[Literal["features", "images"]] = "features"

    def __init__(self, *, scale: float = 20.0, steps: int = 20, fine: int = 10) -> None:
        check_range("scale", scale, 1e-3)
        check_range("steps", steps, 0)
        check_range("fine", fine, 0)
        self.scale = scale
        self.steps = steps
        self.fine = fine
        self.kept_ = KeptFeatures()
        self.weights_: Floats = np.zeros((0, 0), dtype=np.float32)

    @property
    def classes_(self) -> Ints:
        return self.kept_.classes

    def learn(self, x: np.ndarray[Any, Any], y: Ints) -> Self:
        before = self.kept_.classes
        if not self.kept_.add(x, y):
            return self
        kept, means = self.kept_, self.kept_.means()
        if not len(before):
            self.weights_ = train_cosine(kept.x, kept.columns, means, scale=self.scale, steps=self.steps)
            return self
        weights = unit(means)
        weights[np.searchsorted(kept.classes, before)] = self.weights_
        new = np.flatnonzero(~np.isin(kept.classes, before))
        if len(new):
            own = np.isin(kept.columns, new)
            columns = np.searchsorted(new, kept.columns[own])
            weights[new] = train_cosine(kept.x[own], columns, weights[new], scale=self.scale, steps=self.steps)
        balanced = self._balanced(int(np.unique(np.asarray(y), return_counts=True)[1].max()))
        self.weights_ = train_cosine(kept.x[balanced], kept.columns[balanced], weights, scale=self.scale, steps=self.fine)
        return self

    def scores(self, x: np.ndarray[Any, Any]) -> Floats:
        return np.asarray(self.scale * unit(self.kept_.query(x)) @ self.weights_.T, dtype=np.float32)

    def _balanced(self, k: int) -> Ints:
        """Positions of at most k shots of each class."""
        return np.concatenate([rows[herd(self.kept_.x[rows], k)] for _, rows in by_class(self.kept_.y)])
