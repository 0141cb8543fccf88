"""A cosine head trained on all shots: s · n(f) · n(w_c), its weights starting from the class means.

Gidaris & Komodakis, Dynamic Few-Shot Visual Learning without Forgetting, CVPR 2018 (the classifier); Chen et al.,
A Closer Look at Few-Shot Classification, ICLR 2019 (Baseline++). Class means alone, untrained, are `ncm`.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np

from repr.arrays import Floats, Ints
from repr.learners.arrays import check_range, unit
from repr.learners.kept import KeptFeatures
from repr.learners.learner import Learner
from repr.learners.softmax_head import train_cosine


class Cosine(Learner):
    """Each step trains the whole head again on all shots so far, so the answer does not depend on the steps.

    scale: s. steps: L-BFGS iterations; 0 leaves the class means (`ncm`). Both defaults were chosen on training images
    of grocery that were no shots: 20 and 60 steps are alike, and 5 are too few.
    Keeps the features of all shots (not the images).
    """

    input: ClassVar[Literal["features", "images"]] = "features"

    def __init__(self, *, scale: float = 40.0, steps: int = 20) -> None:
        check_range("scale", scale, 1e-3)
        check_range("steps", steps, 0)
        self.scale = scale
        self.steps = steps
        self.kept_ = KeptFeatures()
        self.weights_: Floats = np.zeros((0, 0), dtype=np.float32)

    @property
    def classes_(self) -> Ints:
        return self.kept_.classes

    def learn(self, x: np.ndarray[Any, Any], y: Ints) -> Self:
        if self.kept_.add(x, y):
            kept = self.kept_
            self.weights_ = train_cosine(kept.x, kept.columns, kept.means(), scale=self.scale, steps=self.steps)
        return self

    def scores(self, x: np.ndarray[Any, Any]) -> Floats:
        return np.asarray(self.scale * unit(self.kept_.query(x)) @ self.weights_.T, dtype=np.float32)
