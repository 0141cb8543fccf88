"""Counts against the truth at every threshold, in one pass over the boxes in the order of their scores.

A box above the threshold adds one to the count of its product in its image. While that count is at most the true one it brings it nearer,
afterwards it takes it further away, so what a box does depends on its rank alone and every metric is a running sum.

Metrics (Wei et al., RPC, arXiv 1901.07249, section 5), with counts P and truth T of product k in image i, CD = |P - T|:
cAcc the share of images whose CD is 0 for every product; ACD the mean over images of the sum of CD over products; mCCD the mean over
products of sum CD / sum T; mCIoU the mean over products of sum min(P, T) / sum max(P, T), the sums over images.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from repr.arrays import Bools, Doubles, Ints
from rpc_transfer.checkout.files import Counter, Detected


@dataclass(frozen=True)
class Counts:
    """The numbers of one threshold: cAcc, ACD, mCCD and mCIoU, None where there is nothing to measure; images that were counted."""

    cAcc: float | None
    ACD: float | None
    mCCD: float | None
    mCIoU: float | None
    images: int


@dataclass(frozen=True)
class Tape:
    """Boxes in falling score, on the images that count.

    image, product: (d,); nearer: (d,) whether the box brings its count nearer to the truth. true: (n images, n products) sums are kept
    by `true_of_image` (n,) and as pairs, `pair_image` and `pair_product`, one a true box. counts: (n,) which images count.
    """

    scores: Doubles
    image: Ints
    product: Ints
    nearer: Bools
    true_image: Ints
    true_product: Ints
    counts: Bools
    products: int

    @classmethod
    def of(cls, counter: Counter, detected: Detected, counts: Bools) -> Tape:
        """The tape of the boxes on those images of the counter that count, (n,)."""
        products = len(counter.categories)
        order = np.argsort(-detected.scores, kind="stable")
        order = order[counts[detected.image[order]]]
        image, product = detected.image[order], detected.product[order]
        mine = counts[counter.image]
        true_image, true_product = counter.image[mine], counter.product[mine]
        pairs, true = np.unique(true_image * (products + 1) + true_product, return_counts=True)
        keys = image * (products + 1) + product
        place = np.minimum(np.searchsorted(pairs, keys), max(len(pairs) - 1, 0))
        wanted = np.where(pairs[place] == keys, true[place], 0) if len(pairs) else np.zeros(len(keys), np.int64)
        return cls(detected.scores[order], image, product, _rank(keys) < wanted, true_image, true_product, counts, products)

    def length(self, threshold: float) -> int:
        """How many boxes have at least the score `threshold`."""
        return int(np.searchsorted(-self.scores, -threshold, side="right"))

    @cached_property
    def _true_of_image(self) -> Ints:
        return np.bincount(self.true_image, minlength=len(self.counts))

    @cached_property
    def right(self) -> Ints:
        """(d + 1,) how many images are counted rightly, all of them counting, when the best 0, 1, … d boxes are taken."""
        start = int((self._true_of_image[self.counts] == 0).sum())
        return np.concatenate([[start], start + np.cumsum(self._turns[0])])

    @cached_property
    def right_touched(self) -> tuple[Ints, Ints]:
        """(d + 1,) images that have a box, and how many of these are counted rightly, at the best 0, 1, … d boxes."""
        turns, first = self._turns
        untouched_right = first & (self._true_of_image[self.image] == 0)
        touched = np.concatenate([[0], np.cumsum(first)])
        return touched, np.concatenate([[0], np.cumsum(turns + untouched_right)])

    @cached_property
    def _turns(self) -> tuple[Ints, Bools]:
        """(d,) by how much each box changes the number of right images, -1, 0 or 1; and whether it is the first of its image."""
        order = np.argsort(self.image, kind="stable")
        image, step = self.image[order], np.where(self.nearer[order], -1, 1)
        first = np.ones(len(order), bool)
        first[1:] = image[1:] != image[:-1]
        running = np.cumsum(step)
        before = np.where(first, running - step, 0)
        start = np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
        distance = self._true_of_image[image] + running - before[start]
        turned = (distance == 0).astype(np.int64) - (distance - step == 0)
        turns, firsts = np.empty(len(order), np.int64), np.empty(len(order), bool)
        turns[order], firsts[order] = turned, first
        return turns, firsts

    def best_threshold(self) -> float:
        """The threshold of the best cAcc; of several the one with the fewest miscounts, then the highest.

        It lies half way between the last score that it takes and the first that it does not; there, images not yet seen decide evenly.
        """
        ends = np.flatnonzero(np.append(self.scores[1:] != self.scores[:-1], True)) + 1 if len(self.scores) else np.empty(0, np.int64)
        ends = np.concatenate([[0], ends])
        miscounts = np.concatenate([[0], np.cumsum(np.where(self.nearer, -1, 1))])[ends]
        n = int(ends[np.lexsort((ends, miscounts, -self.right[ends]))[0]])
        if not len(self.scores):
            return 0.0
        if n == 0:
            return float(np.nextafter(self.scores[0], np.inf))
        last = float(self.scores[n - 1])
        return last if n == len(self.scores) else (last + float(self.scores[n])) / 2

    def sums(self, n: int, images: Bools) -> tuple[Ints, Ints, Ints]:
        """Of the best n boxes on `images`, by product, (products,) each: true ones, boxes that fit, boxes too many."""
        mine = images[self.image[:n]] & (self.product[:n] < self.products)
        product, nearer = self.product[:n][mine], self.nearer[:n][mine]
        true = np.bincount(self.true_product[images[self.true_image]], minlength=self.products)
        fit, extra = (np.bincount(product[boxes], minlength=self.products) for boxes in (nearer, ~nearer))
        return true, fit, extra

    def strict(self, threshold: float) -> Counts:
        """The counts at a threshold, all images counting.

        mCCD and mCIoU are means over the products that occur in the truth: of others sum T is 0, and what is counted of them is in
        cAcc and ACD. None where there are no images, or no products.
        """
        n, images = self.length(threshold), int(self.counts.sum())
        true, fit, extra = self.sums(n, self.counts)
        there = true > 0
        distance = true - fit + extra
        miscounts = len(self.true_image) + int(np.where(self.nearer[:n], -1, 1).sum())
        of_product = distance[there] / true[there], fit[there] / (true + extra)[there]
        mccd, mciou = (float(np.mean(one)) if there.any() else None for one in of_product)
        return Counts(int(self.right[n]) / images if images else None, miscounts / images if images else None, mccd, mciou, images)


def _rank(keys: Ints) -> Ints:
    """(d,) of each key, how many equal ones stand before it."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    place = np.arange(len(keys))
    first = np.ones(len(keys), bool)
    first[1:] = ordered[1:] != ordered[:-1]
    ranks = np.empty(len(keys), np.int64)
    ranks[order] = place - np.maximum.accumulate(np.where(first, place, 0))
    return ranks
