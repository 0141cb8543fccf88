"""A cosine head trained on all shots: s · n(f) · n(w_c), its weights starting from the class means.

Gidaris & Komodakis, Dynamic Few-Shot Visual Learning without Forgetting, CVPR 2018 (the classifier); Chen et al.,
A Closer Look at Few-Shot Classification, ICLR 2019 (Baseline++). Class means alone, untrained, are `ncm`.
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
from repr.learners.softmax_head import train_cosine
from repr.learners.stored import Arrays, Stored, under
from repr.settings import check, setting


@dataclass(kw_only=True, eq=False)
class Cosine(Learner):
    """Each step trains the whole head again on all shots so far, so the answer depends neither on the steps nor on classes removed.

    Both defaults were chosen on training images of grocery that were no shots: 20 and 60 steps are alike, and 5 are too few.
    Keeps the features of all shots (not the images).
    """

    scale: float = setting(40.0, "s, makes logits of cosines", low=1e-3)
    steps: int = setting(20, "L-BFGS iterations; 0 leaves the class means (ncm)", low=0)

    input: ClassVar[Literal["features", "images"]] = "features"

    def __post_init__(self) -> None:
        check(self)
        self.kept_ = KeptFeatures()
        self.weights_: Floats = np.zeros((0, 0), dtype=np.float32)

    @property
    def classes_(self) -> Ints:
        """(C,) those that have kept shots."""
        return self.kept_.classes

    def learn(self, x: Array, y: Array) -> Self:
        """Keep the shots and train the head on all that are kept, from the start."""
        if self.kept_.add(x, y):
            self._train()
        return self

    def remove(self, classes: Iterable[int], x: Array | None = None, y: Array | None = None) -> Self:
        """Drop the shots of these classes and train the head on the others; nothing is needed."""
        if not self.kept_.remove(classes).all():
            self._train()
        return self

    def scores(self, x: Array) -> Floats:
        """(n, C) scale · cosine to each class's weights."""
        return np.asarray(self.scale * unit(self.kept_.query(x)) @ self.weights_.T, dtype=np.float32)

    def arrays(self) -> Arrays:
        """The shots kept and the weights (C, d)."""
        return {**under("kept", self.kept_.arrays()), "weights": self.weights_}

    def restore(self, stored: Stored) -> None:
        """Take over what `arrays` gave; weights and shots must be of as many classes."""
        self.kept_.restore(stored.below("kept"))
        self.weights_ = stored.floats("weights", len(self.kept_.classes), self.kept_.x.shape[1])

    def _train(self) -> None:
        rows = self.kept_
        self.weights_ = train_cosine(rows.x, rows.columns, rows.means(), scale=self.scale, steps=self.steps)
