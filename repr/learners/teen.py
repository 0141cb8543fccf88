"""TEEN: the class mean of a new product is drawn towards the old products that it resembles; nothing is trained.

Wang et al., Few-Shot Class-Incremental Learning via Training-Free Prototype Calibration, NeurIPS 2023, equations 4 and 5:
a few shots give a poor mean, and the well-known classes beside it tell where it errs. With n(x) = x/‖x‖, for a novel c:

    μ'_c = (1 − a) n(μ_c) + a n(Σ_b w_cb n(μ_b)),   w_cb = softmax over base classes b of t · n(μ_c)·n(μ_b)

(the second n(·) and the defaults as in the authors' code, models/teen/Network.py and scripts/cub.sh).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np

from repr.arrays import Array, Floats, Ints
from repr.learners.arrays import as_features, as_labels, as_taught, by_class, unit
from repr.learners.learner import Learner
from repr.learners.means import ClassMeans, ClassRows
from repr.learners.stored import Arrays, Stored, under
from repr.settings import check, setting


@dataclass(kw_only=True, eq=False)
class TEEN(Learner):
    """Classes of the first step are base; all later ones are novel, and calibrated against the base alone.

    More images of a known class move its own prototype; the prototypes calibrated before are not done again.
    To remove classes nothing is needed. When base classes go, the novel ones are calibrated against those that are left: as if they
    had never been there, but where the base had more images afterwards. When the last base class goes, the novel ones become the base.
    """

    alpha: float = setting(0.5, "a, how far the prototype of a novel class moves towards the base", low=0, high=1)
    temperature: float = setting(16.0, "t, how much nearer base classes outweigh others", low=0, high=60)  # in float32, e^60 leaves room
    scale: float = setting(40.0, "makes logits of cosines, as in ncm", low=1e-3)

    input: ClassVar[Literal["features", "images"]] = "features"

    def __post_init__(self) -> None:
        check(self)
        self.means_ = ClassMeans()
        self.base_ = ClassRows()  # n(μ_b)
        self.novel_ = ClassRows()  # n(μ'_c)

    @property
    def classes_(self) -> Ints:
        """(C,) those that have a mean."""
        return self.means_.classes

    def learn(self, x: Array, y: Array) -> Self:
        """Move the means of the step's classes; those of the first step are base classes."""
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
        self._calibrate(novel)
        return self

    def remove(self, classes: Iterable[int], x: Array | None = None, y: Array | None = None) -> Self:
        """Drop the means of these classes, base or novel; nothing is needed."""
        labels = as_taught(classes, self.classes_).tolist()
        self.means_.remove(labels)
        of_base = [label for label in labels if label in self.base_]
        for label in labels:
            (self.base_ if label in self.base_ else self.novel_).drop(label)
        left = {label: unit(self.means_.row(label)) for label in self.novel_.classes.tolist()} if of_base else {}
        if len(self.base_):
            self._calibrate(left)
        elif left:
            self.novel_ = ClassRows()
            for label, direction in left.items():
                self.base_.put(label, direction)
        return self

    def scores(self, x: Array) -> Floats:
        """(n, C) scale · cosine, to the means of base classes and the shifted ones of novel classes."""
        directions = unit(as_features(x, self.means_.width))
        scores = np.empty((len(directions), len(self.means_)), dtype=np.float32)
        self.means_.require()
        for table in (self.base_, self.novel_):
            if len(table):
                scores[:, np.searchsorted(self.classes_, table.classes)] = self.scale * table.products(directions)
        return scores

    def known(self, x: Array) -> Floats:
        """(n,) the highest score."""
        highest: Floats = self.scores(x).max(axis=1)
        return highest

    def arrays(self) -> Arrays:
        """All means, and directions of base and novel classes apart."""
        return {**under("means", self.means_.arrays()), **under("base", self.base_.arrays()), **under("novel", self.novel_.arrays())}

    def restore(self, stored: Stored) -> None:
        """Take over what `arrays` gave; base and novel together must be the classes that have means."""
        self.means_.restore(stored.below("means"))
        self.base_.restore(stored.below("base"), self.means_.width)
        self.novel_.restore(stored.below("novel"), self.means_.width)
        both = np.concatenate([self.base_.classes, self.novel_.classes])
        stored.require(np.array_equal(np.sort(both), self.classes_), "base and novel classes are not those that have means")

    def _calibrate(self, novel: dict[int, Floats]) -> None:
        """Set the prototypes of novel classes, by n(μ_c) (d,) of each."""
        if novel:
            for label, prototype in zip(novel, self._calibrated(np.stack(list(novel.values()))), strict=True):
                self.novel_.put(label, prototype)

    def _calibrated(self, directions: Floats) -> Floats:
        """n(μ'_c) of the novel classes with n(μ_c) = directions (m, d).

        The outer n(·) forgets the softmax's denominator, so one pass over the base is enough.
        """
        pull = np.zeros_like(directions)
        for base in self.base_.blocks():
            pull += np.exp(self.temperature * (directions @ base.T)) @ base
        return unit((1 - self.alpha) * directions + self.alpha * unit(pull))
