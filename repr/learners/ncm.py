"""Nearest class mean: a new product is the mean of its photographs' features; nothing is trained.

plain    the nearest mean by Euclidean distance (Mensink et al., Distance-Based Image Classification, PAMI 2013).
cosine   the mean at the smallest angle (Zhou et al., Revisiting Class-Incremental Learning, 2023: SimpleCIL).
centred  cosine after the mean of all images taught is taken from queries and means (Wang et al., SimpleShot, 2019;
         there each image is scaled to length 1 before its class mean is taken, here it is not, so that the means
         stay exact when a step moves the centre).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np

from repr.arrays import Array, Floats, Ints
from repr.learners.arrays import as_features, as_labels, as_taught, by_class
from repr.learners.learner import Learner
from repr.learners.means import ClassMeans
from repr.learners.stored import Arrays, Stored
from repr.settings import check, setting

SCALES = {"plain": 20.0, "cosine": 40.0, "centred": 20.0}


@dataclass(kw_only=True, eq=False)
class NCM(Learner):
    """The answer does not depend on how the images were dealt over the steps, nor on classes removed, but for rounding.

    Scores of "cosine" and "centred" are scale · cosine; those of "plain" are −½ scale · ‖f − μ‖² over the mean squared
    distance of a shot to its class mean (`ClassMeans.usual`). SCALES, the usual ones, are the best calibrated on training images of
    grocery that were no shots (features of `imagenet`; ECE 0.03 to 0.09).
    """

    distance: Literal["plain", "cosine", "centred"] = setting("cosine", "Euclidean, by the angle, or by the angle around the mean of all")
    scale: float | None = setting(None, "makes logits of cosines or distances; by itself 40 for cosine, else 20", low=1e-3)

    input: ClassVar[Literal["features", "images"]] = "features"
    version: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check(self)
        self.means_ = ClassMeans()

    @property
    def classes_(self) -> Ints:
        """(C,) those that have a mean."""
        return self.means_.classes

    def learn(self, x: Array, y: Array) -> Self:
        """Move the mean of each class of the step."""
        x = as_features(x, self.means_.width)
        y = as_labels(y, len(x), first=not len(self.means_))
        for label, rows in by_class(y):
            self.means_.add(label, x[rows])
        return self

    def remove(self, classes: Iterable[int], x: Array | None = None, y: Array | None = None) -> Self:
        """Drop the means of these classes; nothing is needed."""
        self.means_.remove(as_taught(classes, self.classes_).tolist())
        return self

    def scores(self, x: Array) -> Floats:
        """(n, C) by the distance that is set; see the class."""
        x = as_features(x, self.means_.width)
        scale = SCALES[self.distance] if self.scale is None else self.scale
        products, squares = self.means_.products(x), self.means_.squares()
        if self.distance == "plain":
            distances = np.einsum("nd,nd->n", x, x)[:, None] + squares - 2 * products
            return np.asarray(-0.5 * scale * distances / self.means_.usual, dtype=np.float32)
        if self.distance == "cosine":
            lengths, x_lengths = np.sqrt(squares), np.linalg.norm(x, axis=1)
        else:
            centre = np.asarray(self.means_.total / self.means_.images, dtype=np.float32)
            products = products - self.means_.products(centre[None]) - (x @ centre)[:, None] + centre @ centre
            blocks = [np.linalg.norm(block - centre, axis=1) for block in self.means_.blocks()]
            lengths, x_lengths = self.means_.in_order(np.concatenate(blocks)), np.linalg.norm(x - centre, axis=1)
        below = x_lengths[:, None] * lengths
        cosines: Floats = np.divide(products, below, out=np.zeros_like(products), where=below > 0)
        return scale * cosines

    def known(self, x: Array) -> Floats:
        """(n,) the highest score."""
        highest: Floats = self.scores(x).max(axis=1)
        return highest

    def arrays(self) -> Arrays:
        """Those of `ClassMeans`."""
        return self.means_.arrays()

    def restore(self, stored: Stored) -> None:
        """Take over what `arrays` gave."""
        self.means_.restore(stored)
