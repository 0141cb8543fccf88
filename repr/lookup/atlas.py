"""The stored images in the plane, like ones near: for a person who looks for what is confused, doubled or out of place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repr.arrays import Ints
from repr.evaluation.maps import flat_map
from repr.lookup.store import Product, Store
from repr.vectors import normalised

MOST = 600  # images: t-SNE takes some seconds of them on two cores


@dataclass(frozen=True)
class Point:
    """An image, by its id, of a product, at x and y within -1..1."""

    image: int
    product: Product
    x: float
    y: float


@dataclass(frozen=True)
class Atlas:
    """A map as it was at a revision of the index. made: by which method; images: how many are stored, of which the points are some."""

    revision: int
    made: str
    points: tuple[Point, ...]
    images: int


def draw(store: Store, dim: int, *, most: int = MOST) -> Atlas:
    """The map of at most `most` images, as many of each product as can be. dim: numbers a feature."""
    with store.reading():
        revision, products = store.revision, store.products()
        ids, owners = store.owners()
        rows = spread(owners, most)
        features = store.features_of(ids[rows], dim)
    places, made = flat_map(normalised(features) if len(rows) else features, np.random.default_rng(0))
    points = [
        Point(int(ids[row]), products[int(owners[row])], float(x), float(y)) for row, (x, y) in zip(rows.tolist(), places, strict=True)
    ]
    return Atlas(revision, made, tuple(points), len(ids))


def spread(owners: Ints, most: int) -> Ints:
    """Rows, ascending, of at most `most` images of owners (n,): first the first image of every product, then the second, and so on."""
    order = np.argsort(owners, kind="stable")
    starts = np.flatnonzero(np.diff(owners[order], prepend=owners[order][0] - 1)) if len(order) else order
    turn = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    return np.sort(order[np.argsort(turn, kind="stable")][:most])
