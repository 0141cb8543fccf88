"""The class tree as arrays of codes: who is whose parent, level by level, coarse first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from repr.arrays import Bools, Ints
from repr.errors import UserError


@dataclass(frozen=True)
class Tree:
    """Levels of classes, coarse first. Every class above the last level has at least one class below it.

    parents: for each level but the first, int64 (classes of the level,): the code of each class's parent one level up.
    roots: classes of the first level; 0 means as many as the first array of parents names.
    """

    parents: tuple[Ints, ...]
    roots: int = 0

    def __post_init__(self) -> None:
        parents = tuple(np.asarray(p, dtype=np.int64) for p in self.parents)
        object.__setattr__(self, "parents", parents)
        if not self.roots:
            object.__setattr__(self, "roots", int(parents[0].max()) + 1 if parents else 0)
        for level, above in enumerate(parents, 1):
            classes = self.sizes[level - 1]
            if len(above) and (above.min() < 0 or above.max() >= classes):
                raise UserError(f"a class of level {level + 1} has a parent outside 0 to {classes - 1}", "class tree", "Mend the codes")
            childless = np.setdiff1d(np.arange(classes), above)
            if len(childless):
                raise UserError(
                    f"class {childless[0]} of level {level} has no class below it, nor have {len(childless) - 1} others",
                    "class tree",
                    "Let such a class stand for itself on the next level, as a catalog's level 3 does",
                )

    @classmethod
    def of(cls, labels: Ints) -> Tree:
        """The tree that rows of labels show. labels: int (n, levels), coarse first, codes from 0 without gaps, -1 for unknown.

        Raises UserError when a level has no label, a class stands under two parents, or no row shows a class's parent.
        """
        labels = np.asarray(labels, dtype=np.int64)
        assert labels.ndim == 2 and labels.shape[1], labels.shape
        for level, column in enumerate(labels.T, 1):
            if not (column >= 0).any():
                raise UserError(f"no row has a label on level {level}", "class tree", "Leave the level out")
        parents = tuple(_parents(labels[:, level - 1], labels[:, level], level) for level in range(1, labels.shape[1]))
        return cls(parents, int(labels[:, 0].max()) + 1)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Classes of each level, coarse first."""
        return (self.roots, *(len(above) for above in self.parents))

    @property
    def levels(self) -> int:
        """How many levels there are."""
        return len(self.parents) + 1

    def ancestors(self, level: int, coarser: int) -> Ints:
        """(classes of `level`,) int64: each one's ancestor on the level `coarser` (positions from 0; the class itself when equal)."""
        codes = np.arange(self.sizes[level])
        for above in range(level, coarser, -1):
            codes = self.parents[above - 1][codes]
        return codes

    def paths(self) -> Ints:
        """(classes of the last level, levels) int64: from the root to each of the finest classes."""
        return np.stack([self.ancestors(self.levels - 1, level) for level in range(self.levels)], axis=1)

    def descendants(self, coarser: int, level: int) -> Bools:
        """(classes of `coarser`, classes of `level`) bool: whether the one stands above the other (or is it)."""
        if (coarser, level) not in self._below:
            self._below[coarser, level] = self.ancestors(level, coarser)[None, :] == np.arange(self.sizes[coarser])[:, None]
        return self._below[coarser, level]

    @cached_property
    def _below(self) -> dict[tuple[int, int], Bools]:
        return {}  # asked for in every training step

    def complete(self, labels: Ints) -> Ints:
        """Labels with every level above a known one filled in: (n, levels) int64; unknown ones then stand only at a row's end.

        Raises UserError when a row contradicts the tree or holds a code that is in no level of it.
        """
        labels = np.array(labels, dtype=np.int64)
        assert labels.ndim == 2 and labels.shape[1] == self.levels, f"{labels.shape} for {self.levels} levels"
        for level, size in enumerate(self.sizes):
            if (labels[:, level] < -1).any() or (labels[:, level] >= size).any():
                raise UserError(f"a label outside 0 to {size - 1} on level {level + 1}", "labels", "Use the codes of the tree")
        for level in range(self.levels - 1, 0, -1):
            known = np.flatnonzero(labels[:, level] >= 0)
            parent = self.parents[level - 1][labels[known, level]]
            said = labels[known, level - 1]
            wrong = np.flatnonzero((said >= 0) & (said != parent))
            if len(wrong):
                row = int(known[wrong[0]])
                raise UserError(
                    f"class {labels[row, level]} of level {level + 1} is not below class {labels[row, level - 1]} of level {level}",
                    f"row {row}",
                    "Mend the labels or the tree",
                )
            labels[known, level - 1] = parent
        return labels


def _parents(above: Ints, below: Ints, level: int) -> Ints:
    """The parent of every class of a level, from the rows that know both. level: position of `below`, from 0."""
    known = (above >= 0) & (below >= 0)
    pairs = np.unique(np.stack([below[known], above[known]], axis=1), axis=0)
    children, counts = np.unique(pairs[:, 0], return_counts=True)
    if (counts > 1).any():
        child = children[counts > 1][0]
        several = ", ".join(str(parent) for parent in pairs[pairs[:, 0] == child, 1])
        raise UserError(f"class {child} of level {level + 1} stands under several classes: {several}", "class tree", "Key classes by id")
    orphans = np.setdiff1d(np.arange(int(below.max()) + 1), children)
    if len(orphans):
        raise UserError(
            f"no row says what class {orphans[0]} of level {level + 1} stands under",
            "class tree",
            "Number the classes from 0 without gaps and give each a row with both labels",
        )
    return pairs[:, 1]
