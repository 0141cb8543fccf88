"""Images of different classes that look alike by their raw pixels: Fig. 7 of the MEP-3M paper shows such groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repr.arrays import Bools, Floats, Ints
from repr.vectors import normalised

SAME = 0.999  # cosine from which two images count as one photograph: what is the same says nothing of classes that look alike


@dataclass(frozen=True)
class Group:
    """An image, and those of other classes that are nearest to it, the nearest first: positions. likeness: cosines, one each."""

    image: int
    others: tuple[int, ...]
    likeness: tuple[float, ...]


def closest_groups(features: Floats, labels: Ints, groups: int, size: int) -> list[Group]:
    """The groups of an image and its `size` nearest images of other classes that are most alike, no image in two.

    features: (n, d); labels: (n,). n is a few thousand at most, since all pairs are compared. The same photograph does not count.
    """
    likeness = _across(features, labels)
    free = np.ones(len(labels), bool)
    closest: list[Group] = []
    for image in np.argsort(-likeness.max(axis=1, initial=-1), kind="stable"):
        row = np.where(free, likeness[image], -1)
        others = [int(other) for other in np.argsort(-row, kind="stable")[:size] if row[other] > -1]
        if len(closest) == groups:
            break
        if free[image] and others:
            free[[image, *others]] = False
            closest.append(Group(int(image), tuple(others), tuple(float(row[other]) for other in others)))
    return closest


def shared_looks(features: Floats, labels: Ints) -> Bools:
    """(n,) whether an image's nearest neighbour, but for the same photograph, is of another class."""
    vectors = normalised(features)
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -1)
    likeness[likeness > SAME] = -1
    return np.asarray(labels[likeness.argmax(axis=1)] != labels)


def _across(features: Floats, labels: Ints) -> Floats:
    """(n, n) cosines of images of different classes; -1 for two of one class, and for the same photograph."""
    vectors = normalised(features)
    likeness = vectors @ vectors.T
    likeness[(labels[:, None] == labels[None, :]) | (likeness > SAME)] = -1
    return np.asarray(likeness, np.float32)
