"""Nearest neighbour: a query is the product of the photograph most like it. So does `repr lookup` answer.

Cover and Hart, Nearest Neighbor Pattern Classification, IEEE Transactions on Information Theory, 1967; here by the cosine.
`votes`, by which `repr evaluate` measures features, lets many neighbours speak for their classes, where the learner hears the nearest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np

from repr.arrays import Array, Doubles, Floats, Ints
from repr.learners.arrays import unit
from repr.learners.kept import KeptFeatures
from repr.learners.learner import Learner
from repr.learners.stored import Arrays, Stored
from repr.settings import check, setting


def votes(cosines: Floats, columns: Ints, classes: int, temperature: float) -> Doubles:
    """(q, classes) what the neighbours of each query give to their classes: exp(cosine / T) each, over that of the nearest.

    Wu et al., Unsupervised Feature Learning via Non-Parametric Instance Discrimination, CVPR 2018 (arXiv 1805.01978), section 3.4.
    cosines: (q, k) of the neighbours, the nearest first; columns: (q, k) their classes, 0..classes-1.
    With T near 0 the class of the nearest has the most, as in `Neighbour`.
    """
    totals = np.zeros((len(cosines), classes))
    # exp(s / T) grows to e^14 at T = 0.07; relative to the nearest neighbour it stays within 0..1
    weights = np.exp((cosines.astype(np.float64) - cosines[:, :1]) / temperature)
    np.add.at(totals, (np.arange(len(cosines))[:, None], columns), weights)
    return totals


@dataclass(kw_only=True, eq=False)
class Neighbour(Learner):
    """Scores are scale · the highest cosine to a shot of the class. Every shot is kept: the answer depends neither on the steps nor on
    classes removed.

    Of scales of 10, 20, 40 and 80, 40 and 80 are the best calibrated on training images of grocery that were no
    shots (features of `imagenet`; ECE 0.07).
    """

    scale: float = setting(40.0, "makes logits of cosines", low=1e-3)

    input: ClassVar[Literal["features", "images"]] = "features"

    def __post_init__(self) -> None:
        check(self)
        self.kept_ = KeptFeatures()
        self._gallery: tuple[Floats, Ints] | None = None  # directions by class, and where each class begins

    @property
    def classes_(self) -> Ints:
        """(C,) those that have kept shots."""
        return self.kept_.classes

    def learn(self, x: Array, y: Array) -> Self:
        """Keep the shots."""
        if self.kept_.add(x, y):
            self._gallery = None
        return self

    def remove(self, classes: Iterable[int], x: Array | None = None, y: Array | None = None) -> Self:
        """Drop the shots of these classes; nothing is needed."""
        self.kept_.remove(classes)
        self._gallery = None
        return self

    def scores(self, x: Array) -> Floats:
        """(n, C) scale · cosine to the most similar shot of each class."""
        x = self.kept_.query(x)
        if self._gallery is None:
            order = np.argsort(self.kept_.columns, kind="stable")
            _, first = np.unique(self.kept_.columns[order], return_index=True)
            self._gallery = unit(self.kept_.x[order]), first
        directions, first = self._gallery
        best: Floats = np.maximum.reduceat(unit(x) @ directions.T, first, axis=1)
        return self.scale * best

    def known(self, x: Array) -> Floats:
        """(n,) the highest score."""
        highest: Floats = self.scores(x).max(axis=1)
        return highest

    def arrays(self) -> Arrays:
        """The shots kept."""
        return self.kept_.arrays()

    def restore(self, stored: Stored) -> None:
        """Take over what `arrays` gave."""
        self.kept_.restore(stored)
        self._gallery = None
