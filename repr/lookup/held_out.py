"""What a learner answers on stored images that it was not taught with: the ground for choosing it, its probabilities and its faults.

Photographs of a product are taken in rows, and one is given away by the next: leaving out one image at a time, the nearest neighbour is
nearly always right, which says nothing of tomorrow's photograph. So the images of each product are grouped by likeness (Ward, Hierarchical
Grouping to Optimize an Objective Function, 1963), and a group is left out as a whole. On grocery's training images (first, per cent):

                           neighbour   ncm   lda-root
    one image at a time         94.5  86.4       96.5      (blocks of a fifth, in the order of the files)
    a group at a time           59.7  65.2       77.9
    the official val / test     61.5 / 66.0   63.2 / 67.3   79.4 / 78.4
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

from repr.arrays import Bools, Floats, Ints
from repr.learners import make
from repr.learners.arrays import unit
from repr.learners.learner import Learner
from repr.lookup.gallery import Gallery
from repr.lookup.ranking import SHORTLIST

FOLDS = 5
GROUPED = 500  # images of a product that are grouped: the distances of all pairs are held


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Answers on held-out images. rows: (m,) theirs in `Gallery.taught`; columns: (m,) the right answers, of the columns of scores (m, C).

    classes: (C,) the number in `Gallery.names` of each column.
    """

    rows: Ints
    columns: Ints
    scores: Floats
    classes: Ints

    @property
    def ranks(self) -> Ints:
        """(m,) how many products score higher than the right one; of equal ones those that came earlier count too."""
        own = self.own[:, None]
        earlier = np.arange(self.scores.shape[1]) < self.columns[:, None]
        return np.asarray(((self.scores > own) | ((self.scores == own) & earlier)).sum(axis=1), dtype=np.int64)

    @property
    def own(self) -> Floats:
        """(m,) the score of the right product."""
        return np.asarray(self.scores[np.arange(len(self.rows)), self.columns])

    def right(self, top: int = 1) -> Bools:
        """(m,) whether the right product is among the `top` first."""
        return self.ranks < top

    def by_product(self, top: int = 1) -> dict[int, float]:
        """The share of a product's images whose own product is among the `top` first, by the column of each product that was asked."""
        right = self.right(top)
        sums, counts = (np.bincount(self.columns, weights=values) for values in (right, np.ones(len(right))))
        return {int(column): float(sums[column] / counts[column]) for column in np.flatnonzero(counts)}

    def logits(self) -> Floats:
        """(m, 1 + s) the right product's score, then the highest of the others: what a temperature is fitted on, the first being right."""
        others = self.scores.copy()
        others[np.arange(len(self.rows)), self.columns] = -np.inf
        s = min(SHORTLIST - 1, others.shape[1] - 1)
        highest = -np.partition(-others, s - 1, axis=1)[:, :s] if s else others[:, :0]
        return np.column_stack([self.own, highest])


def folds_of(x: Floats, y: Ints, folds: int = FOLDS) -> Ints:
    """(n,) in which fold each image is held out, −1 for never: features (n, d), products (n,).

    Each product's images make up to min(m, folds) groups, the first of each held out in the first fold, and so on: so products of equally
    many images have equally many left, and none is at a loss against the others for being asked. One of a single image is never asked.
    """
    fold = np.full(len(y), -1, dtype=np.int64)
    order = np.argsort(y, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(y[order])) + 1):
        if len(rows) > 1:
            fold[rows] = alike(unit(x[rows]), min(len(rows), folds))
    return fold


def scattered(y: Ints, folds: int = FOLDS) -> Ints:
    """(n,) the same without regard to likeness: each product's images are dealt over the folds at random, so that the like of one that is
    held out stays. The easiest that tomorrow's photograph may be; by `folds_of` it is as hard as may be."""
    fold, generator = np.full(len(y), -1, dtype=np.int64), np.random.default_rng(0)
    for start, label in enumerate(np.unique(y).tolist()):
        rows = generator.permutation(np.flatnonzero(y == label))
        if len(rows) > 1:
            fold[rows] = (start + np.arange(len(rows))) % folds
    return fold


def alike(vectors: Floats, n: int) -> Ints:
    """(m,) groups 0..n-1 by likeness, for vectors (m, d) with m ≥ n ≥ 2; at least two groups, fewer than n where more cannot be told apart.

    Of more than GROUPED vectors, evenly spread ones are grouped, and the others go with the nearest mean.
    """
    some = vectors[np.linspace(0, len(vectors) - 1, min(len(vectors), GROUPED)).astype(np.int64)]
    groups = fcluster(linkage(some.astype(np.float64), "ward"), n, "maxclust") - 1
    if not groups.any():  # all the same
        return np.arange(len(vectors)) * n // len(vectors)
    if len(some) == len(vectors):
        return np.asarray(groups, dtype=np.int64)
    means = np.stack([some[groups == group].mean(axis=0) for group in range(groups.max() + 1)])
    return np.asarray(((vectors[:, None] - means) ** 2).sum(axis=2).argmin(axis=1), dtype=np.int64)


def held_out(gallery: Gallery, learner: str, folds: int = FOLDS) -> HeldOut:
    """Teach a learner (by its name, with settings) `folds` times without a group of each product, and ask it for those.

    Of a big gallery take a `sample` first. Raises UserError as the learner does.
    """
    x, y = gallery.taught()
    return held_out_arrays(x, y, learner, folds_of(x, y, folds))


def held_out_arrays(x: Floats, y: Ints, learner: str, fold: Ints) -> HeldOut:
    """The same on features (n, d), classes (n,) and the fold (n,) of each; −1 is always taught. Every class is taught in every fold."""
    classes = np.unique(y)
    rows = np.flatnonzero(fold >= 0)
    scores = np.empty((len(rows), len(classes)), dtype=np.float32)
    for number in np.unique(fold[rows]):
        scores[fold[rows] == number] = taught_without(x, y, learner, fold == number).scores(x[fold == number])
    return HeldOut(rows, np.searchsorted(classes, y[rows]), scores, classes)


def taught_without(x: Floats, y: Ints, learner: str, left_out: Bools) -> Learner:
    """A learner taught with the rows that are not left out (n,)."""
    return make(learner).learn(x[~left_out], y[~left_out])
