"""TEEN: the class mean of a new product is drawn towards the old products that it resembles; nothing is trained.

Wang et al., Few-Shot Class-Incremental Learning via Training-Free Prototype Calibration, NeurIPS 2023, equations 4 and 5:
a few shots give a poor mean, and the well-known classes beside it tell where it errs. With n(x) = x/‖x‖, for a novel c:

    μ'_c = (1 − a) n(μ_c) + a n(Σ_b w_cb n(μ_b)),   w_cb = softmax over base classes b of t · n(μ_c)·n(μ_b)

(the second n(·) and the defaults as in the authors' code, models/teen/Network.py and scripts/cub.sh).
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np

from repr.arrays import Floats, Ints
from repr.learners.arrays import as_features, as_labels, by_class, check_range, unit
from repr.learners.learner import Learner
from repr.learners.means import ClassMeans, ClassRows


class TEEN(Learner):
    """Classes of the first step are base; all later ones are novel, and calibrated against the base alone.

    alpha: a, how far a novel prototype moves. temperature: t. scale: turns a cosine into a logit, as in `ncm`.
    More images of a known class move its own prototype; the prototypes calibrated before are not done again.
    """

    input: ClassVar[Literal["features", "images"]] = "features"

    def __init__(self, *, alpha: float = 0.5, temperature: float = 16.0, scale: float = 40.0) -> None:
        check_range("alpha", alpha, 0, 1)
        check_range("temperature", temperature, 0, 60)  # e^60 is the last that float32 holds with room for a sum
        check_range("scale", scale, 1e-3)
        self.alpha = alpha
        self.temperature = temperature
        self.scale = scale
        self.means_ = ClassMeans()
        self.base_ = ClassRows()  # n(μ_b)
        self.novel_ = ClassRows()  # n(μ'_c)

    @property
    def classes_(self) -> Ints:
        return self.means_.classes

    def learn(self, x: np.ndarray[Any, Any], y: Ints) -> Self:
        x = as_features(x, self.means_.width)
        y = as_labels(y, len(x), first=not len(self.means_))
        first = not len(self.means_)
        novel: dict[int, Floats] = {}
        for label, rows in by_class(y):
            self.means_.add(label, x[rows])
            direction = unit(self.means_.row(label))
            if first or label in self.base_:
                self.base_.put(label, direction)
            else:
                novel[label] = direction
        if novel:
            for label, prototype in zip(novel, self._calibrated(np.stack(list(novel.values()))), strict=True):
                self.novel_.put(label, prototype)
        return self

    def scores(self, x: np.ndarray[Any, Any]) -> Floats:
        directions = unit(as_features(x, self.means_.width))
        found = np.empty((len(directions), len(self.means_)), dtype=np.float32)
        self.means_.require()
        for table in (self.base_, self.novel_):
            if len(table):
                found[:, np.searchsorted(self.classes_, table.classes)] = self.scale * table.products(directions)
        return found

    def known(self, x: np.ndarray[Any, Any]) -> Floats:
        """(n,) the highest score."""
        highest: Floats = self.scores(x).max(axis=1)
        return highest

    def _calibrated(self, directions: Floats) -> Floats:
        """n(μ'_c) of the novel classes with n(μ_c) = directions (m, d).

        The outer n(·) forgets the softmax's denominator, so one pass over the base is enough.
        """
        pull = np.zeros_like(directions)
        for base in self.base_.blocks():
            pull += np.exp(self.temperature * (directions @ base.T)) @ base
        return unit((1 - self.alpha) * directions + self.alpha * unit(pull))
