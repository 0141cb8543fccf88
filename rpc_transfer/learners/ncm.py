"""Nearest class mean: a new product is the mean of its photographs' features; nothing is trained.

plain    the nearest mean by Euclidean distance (Mensink et al., Distance-Based Image Classification, PAMI 2013).
cosine   the mean at the smallest angle (Zhou et al., Revisiting Class-Incremental Learning, 2023: SimpleCIL).
centred  cosine after the mean of all pictures taught is taken from queries and means (Wang et al., SimpleShot, 2019;
         there each picture is scaled to length 1 before its class mean is taken, here it is not, so that the means
         stay exact when a step moves the centre).
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np

from rpc_transfer.learners.arrays import Floats, Ints, as_features, as_labels, by_class, check_choice, check_range
from rpc_transfer.learners.learner import Learner
from rpc_transfer.learners.means import ClassMeans

Distance = Literal["plain", "cosine", "centred"]


class NCM(Learner):
    """The answer does not depend on how the pictures were dealt over the steps.

    Scores of "cosine" and "centred" are scale · cosine. Those of "plain" are −½‖f − μ‖² over the mean squared distance
    a dimension of the pictures taught: the logarithm of a normal density, up to a constant.
    scale: turns a cosine into a logit; 20 as in TFA (Wang et al., ICML 2020).
    """

    input: ClassVar[Literal["features", "pictures"]] = "features"

    def __init__(self, *, distance: Distance = "cosine", scale: float = 20.0) -> None:
        check_choice("distance", distance, ("plain", "cosine", "centred"))
        check_range("scale", scale, 1e-3)
        self.distance = distance
        self.scale = scale
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
            # 1 where every class has a single picture: no distances to take a variance from
            variance = self.means_.spread / (self.means_.pictures * x.shape[1]) or 1.0
            distances = np.einsum("nd,nd->n", x, x)[:, None] + squares - 2 * products
            return np.asarray(-0.5 * distances / variance, dtype=np.float32)
        if self.distance == "cosine":
            lengths, x_lengths = np.sqrt(squares), np.linalg.norm(x, axis=1)
        else:
            centre = np.asarray(self.means_.total / self.means_.pictures, dtype=np.float32)
            products = products - self.means_.products(centre[None]) - (x @ centre)[:, None] + centre @ centre
            blocks = [np.linalg.norm(block - centre, axis=1) for block in self.means_.blocks()]
            lengths, x_lengths = self.means_.in_order(np.concatenate(blocks)), np.linalg.norm(x - centre, axis=1)
        below = x_lengths[:, None] * lengths
        cosines: Floats = np.divide(products, below, out=np.zeros_like(products), where=below > 0)
        return self.scale * cosines
