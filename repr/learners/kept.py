"""Every feature taught so far, for the learners that need them all at each step."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from repr.arrays import Array, Bools, Floats, Ints
from repr.errors import UserError
from repr.learners.arrays import as_features, as_labels, as_taught
from repr.learners.stored import Arrays, Stored


class KeptFeatures:
    """The support sets of all steps: 2 KiB an image at 512 dimensions, 4 MiB for 200 products with 10 shots.

    x: (n, d); y: (n,) class numbers; classes: (C,) those there are, sorted.
    """

    def __init__(self) -> None:
        self.x: Floats = np.zeros((0, 0), dtype=np.float32)
        self.y: Ints = np.zeros(0, dtype=np.int64)
        self.classes: Ints = np.zeros(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.x)

    @property
    def width(self) -> int | None:
        """Dimensions of a feature; None before the first step."""
        return self.x.shape[1] if len(self.x) else None

    @property
    def columns(self) -> Ints:
        """(n,) the position of each image's class in `classes`."""
        return np.searchsorted(self.classes, self.y)

    def add(self, x: Array, y: Array) -> bool:
        """Keep a step's support set; False when it is empty. Raises UserError for arrays that do not fit."""
        x = as_features(x, self.width)
        y = as_labels(y, len(x), first=not len(self.x))
        if not len(x):
            return False
        self._keep(np.vstack([self.x, x]) if len(self.x) else x, np.concatenate([self.y, y]))
        return True

    def remove(self, classes: Iterable[int]) -> Bools:
        """Drop the classes' features. Returns (n,) bool, which of the rows stay. Raises UserError for a class that was never taught."""
        stay: Bools = ~np.isin(self.y, as_taught(classes, self.classes))
        self._keep(self.x[stay], self.y[stay])
        return stay

    def query(self, x: Array) -> Floats:
        """Queries, checked. Raises UserError when nothing was learned yet or they do not fit."""
        if not len(self.x):
            raise UserError("nothing has been learned yet", "", "Teach it the first classes before asking")
        return as_features(x, self.width)

    def means(self) -> Floats:
        """(C, d) mean feature of each class of `classes`."""
        sums = np.zeros((len(self.classes), self.x.shape[1]))
        np.add.at(sums, self.columns, self.x)
        return np.asarray(sums / np.bincount(self.columns)[:, None], dtype=np.float32)

    def arrays(self) -> Arrays:
        """x and y."""
        return {"x": self.x, "y": self.y}

    def restore(self, stored: Stored) -> None:
        """Take over what `arrays` gave. Raises UserError for arrays that do not fit."""
        x = stored.floats("x", None, None)
        self._keep(x, stored.ints("y", len(x)))

    def _keep(self, x: Floats, y: Ints) -> None:
        self.x, self.y, self.classes = x, y, np.unique(y)
