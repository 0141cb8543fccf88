"""What a learner answers on stored images that it was not taught with: the ground for choosing it, its probabilities and its faults.

Photographs of a product are often taken in a row, and one is then given away by the next: leaving out one image at a time, the nearest
neighbour is nearly always right, which says nothing of tomorrow's photograph. So each product's images, in the order of their ids, are cut
into blocks, and a block is left out as a whole. A product of few images has a block each; one of a single image is never asked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repr.arrays import Bools, Floats, Ints
from repr.learners import make
from repr.learners.learner import Learner
from repr.lookup.gallery import Gallery

FOLDS = 5
MOST = 20_000  # images measured with: what is chosen by more is the same
SHORTLIST = 100  # products whose scores count for a probability, in a big shop as here


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


def blocks(columns: Ints, folds: int = FOLDS) -> Ints:
    """(n,) in which fold each image is held out, −1 for never. columns: (n,) products, images in their order.

    Each product's images make min(m, folds) runs of about equal length, held out in different folds. The first fold goes on from product
    to product, so that of products with two images one in `folds` / 2 loses one at a time, and the others keep both.
    """
    found = np.full(len(columns), -1, dtype=np.int64)
    order = np.argsort(columns, kind="stable")
    start = 0
    for rows in np.split(order, np.flatnonzero(np.diff(columns[order])) + 1):
        if (n := min(len(rows), folds)) > 1:
            found[rows] = (start + np.arange(len(rows)) * n // len(rows)) % folds
            start += n
    return found


def held_out(gallery: Gallery, learner: str, folds: int = FOLDS) -> HeldOut:
    """Teach a learner (by its name, with settings) `folds` times without a block, and ask it for that block.

    Of a gallery of more than MOST images take a `sample` first. Raises UserError as the learner does.
    """
    x, y = gallery.taught()
    return held_out_arrays(x, y, learner, blocks(y, folds))


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
