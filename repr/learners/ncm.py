"""Nearest class mean: a new product is the mean of its photographs' features; nothing is trained.

plain    the nearest mean by Euclidean distance (Mensink et al., Distance-Based Image Classification, PAMI 2013).
cosine   the mean at the smallest angle (Zhou et al., Revisiting Class-Incremental Learning, 2023: SimpleCIL).
centred  cosine after the mean of all images taught is taken from queries and means (Wang et al., SimpleShot, 2019;
         there each image is scaled to length 1 before its class mean is taken, here it is not, so that the means
         stay exact when a step moves the centre).
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np

from repr.arrays import Floats, Ints
from repr.learners.arrays import as_features, as_labels, by_class, check_choice, check_range
from repr.learners.learner import Learner
from repr.learners.means import ClassMeans

Distance = Literal["plain", "cosine", "centred"]


class NCM(Learner):
    """The answer does not depend on how the images were dealt over the steps.

    Scores of "cosine" and "centred" are scale · cosine; those of "plain" are −½ scale · ‖f − μ‖² over the mean squared
    distance of a shot to its class mean (`ClassMeans.usual`). scale makes logits of them; None is 40 for "cosine" and 20
    for the others, the best calibrated on training images of grocery that were no shots (features of `imagenet`; ECE 0.03 to 0.09).
    """

    input: ClassVar[Literal["features", "images"]] = "features"
    version: ClassVar[int] = 1

    def __init__(self, *, distance: Distance = "cosine", scale: float | None = None) -> None:
        check_choice("distance", distance, ("plain", "cosine", "centred"))
        self.distance = distance
        self.scale = (40.0 if distance == "cosine" else 20.0) if scale is None else scale
        check_range("scale", self.scale, 1e-3)
        self.means_ = ClassMeans()

    @property
    def classes_(self) -> Ints:
        return self.means_.classes

    def learn(self, x: np.ndarray[Any, Any], y: Ints) -> Self:
        x = as_features(x, self.means_.width)
        y = as_labels(y, len(x), first=not len(self.means_))
        for label, rows in by_class(y):
            self.means_.add(label, x[rows])
        return self

    def scores(self, x: np.ndarray[Any, Any]) -> Floats:
        x = as_features(x, self.means_.width)
        products, squares = self.means_.products(x), self.means_.squares()
        if self.distance == "plain":
            distances = np.einsum("nd,nd->n", x, x)[:, None] + squares - 2 * products
            return np.asarray(-0.5 * self.scale * distances / self.means_.usual, dtype=np.float32)
        if self.distance == "cosine":
            lengths, x_lengths = np.sqrt(squares), np.linalg.norm(x, axis=1)
        else:
            centre = np.asarray(self.means_.total / self.means_.images, dtype=np.float32)
            products = products - self.means_.products(centre[None]) - (x @ centre)[:, None] + centre @ centre
            blocks = [np.linalg.norm(block - centre, axis=1) for block in self.means_.blocks()]
            lengths, x_lengths = self.means_.in_order(np.concatenate(blocks)), np.linalg.norm(x - centre, axis=1)
        below = x_lengths[:, None] * lengths
        cosines: Floats = np.divide(products, below, out=np.zeros_like(products), where=below > 0)
        return self.scale * cosines

    def known(self, x: np.ndarray[Any, Any]) -> Floats:
        """(n,) the highest score."""
        highest: Floats = self.scores(x).max(axis=1)
        return highest
