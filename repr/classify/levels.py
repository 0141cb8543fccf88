"""The levels that a hierarchical net answers on, and each row's class on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repr.arrays import Ints
from repr.classify.data import Data
from repr.errors import UserError


@dataclass(frozen=True)
class Levels:
    """The levels that part the rows further, coarse first. labels: (n, levels) dense, -1 for unknown; names: of each level's classes.

    A class that no row shows a class below stands for itself on the next level, after the real classes there, as a catalog's
    level 3 does; real: each level's classes that are none of these.
    """

    levels: tuple[int, ...]
    labels: Ints
    names: tuple[tuple[str, ...], ...]
    real: tuple[int, ...]

    @property
    def own(self) -> Ints:
        """(n, levels) the labels without those that stand in: what rows are measured by."""
        return np.where(self.labels < np.array(self.real), self.labels, -1)


def level_labels(data: Data) -> Levels:
    """The levels of the data that a net can answer on. Raises UserError when no level has two classes."""
    levels: list[int] = []
    columns: list[Ints] = []
    names: list[tuple[str, ...]] = []
    real: list[int] = []
    for level in (1, 2, 3):
        try:
            labels, of_level = data.catalog.labels(level)
        except UserError:
            continue
        number = len(of_level)
        if columns:
            above = columns[-1]
            childless = np.setdiff1d(above[above >= 0], above[(above >= 0) & (labels >= 0)])
            alone = np.isin(above, childless)
            labels = labels.copy()
            labels[alone] = number + np.searchsorted(childless, above[alone])
            of_level = (*of_level, *(names[-1][code] for code in childless))
        if len(of_level) > (len(names[-1]) if names else 1):
            levels.append(level)
            columns.append(labels)
            names.append(of_level)
            real.append(number)
    if not levels:
        raise UserError("no level has two classes", data.catalog.name, "Choose another part of the data")
    return Levels(tuple(levels), np.stack(columns, axis=1), tuple(names), tuple(real))


def finest(labels: Ints) -> Ints:
    """(n,) dense number of each row's deepest known class; labels: (n, levels), coarse first, -1 for none, a known one on the first."""
    depth = (labels >= 0).sum(axis=1) - 1
    pairs = np.stack([depth, labels[np.arange(len(labels)), depth]], axis=1)
    return np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)
