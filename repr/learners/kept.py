"""Every feature taught so far, for the heads that are trained again at each step."""

from __future__ import annotations

from typing import Any

import numpy as np

from repr.arrays import Floats, Ints
from repr.errors import UserError
from repr.learners.arrays import as_features, as_labels


class KeptFeatures:
    """The support sets of all steps: 2 KiB a image at 512 dimensions, 4 MiB for 200 products with 10 shots."""

    def __init__(self) -> None:
        self.x: Floats = np.zeros((0, 0), dtype=np.float32)
        self.y: Ints = np.zeros(0, dtype=np.int64)
        self.classes: Ints = np.zeros(0, dtype=np.int64)

    @property
    def width(self) -> int | None:
        """Dimensions of a feature; None before the first step."""
        return self.x.shape[1] if len(self.x) else None

    @property
    def columns(self) -> Ints:
        """(n,) the position of each image's class in `classes`."""
        return np.searchsorted(self.classes, self.y)

    def add(self, x: np.ndarray[Any, Any], y: Ints) -> bool:
        """Keep a step's support set; False when it is empty. Raises UserError for arrays that do not fit."""
        x = as_features(x, self.width)
        y = as_labels(y, len(x), first=not len(self.x))
        if not len(x):
            return False
        self.x = np.vstack([self.x, x]) if len(self.x) else x
        self.y = np.concatenate([self.y, y])
        self.classes = np.unique(self.y)
        return True

    def query(self, x: np.ndarray[Any, Any]) -> Floats:
        """Queries, checked. Raises UserError when nothing was learned yet or they do not fit."""
        if not len(self.x):
            raise UserError("nothing has been learned yet", "", "Teach it the first classes before asking")
        return as_features(x, self.width)

    def means(self) -> Floats:
        """(C, d) mean feature of each class of `classes`."""
        sums = np.zeros((len(self.classes), self.x.shape[1]))
        np.add.at(sums, self.columns, self.x)
        return np.asarray(sums / np.bincount(self.columns)[:, None], dtype=np.float32)
