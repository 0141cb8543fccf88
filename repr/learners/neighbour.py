"""Nearest neighbour: a query is the product of the photograph most like it. So does `repr lookup` answer.

Cover and Hart, Nearest Neighbor Pattern Classification, IEEE Transactions on Information Theory, 1967; here by the cosine.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np

from repr.arrays import Floats, Ints
from repr.learners.arrays import check_range, unit
from repr.learners.kept import KeptFeatures
from repr.learners.learner import Learner


class Neighbour(Learner):
    """Scores are scale · the highest cosine to a shot of the class. Every shot is kept; the answer does not depend on the steps.

    scale makes logits of cosines: of 10, 20, 40 and 80, 40 and 80 are the best calibrated on training images of grocery that were no
    shots (features of `imagenet`; ECE 0.07).
    """

    input: ClassVar[Literal["features", "images"]] = "features"

    def __init__(self, *, scale: float = 40.0) -> None:
        check_range("scale", scale, 1e-3)
        self.scale = scale
        self.kept_ = KeptFeatures()

    @property
    def classes_(self) -> Ints:
        return self.kept_.classes

    def learn(self, x: np.ndarray[Any, Any], y: Ints) -> Self:
        self.kept_.add(x, y)
        return self

    def scores(self, x: np.ndarray[Any, Any]) -> Floats:
        x = self.kept_.query(x)
        order = np.argsort(self.kept_.columns, kind="stable")
        cosines = unit(x) @ unit(self.kept_.x[order]).T
        _, first = np.unique(self.kept_.columns[order], return_index=True)
        best: Floats = np.maximum.reduceat(cosines, first, axis=1)
        return self.scale * best

    def known(self, x: np.ndarray[Any, Any]) -> Floats:
        """(n,) the highest score."""
        highest: Floats = self.scores(x).max(axis=1)
        return highest
