"""The stored images as arrays: what learners are taught with and answers are searched in, without an index around it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np

from repr.arrays import Array, Floats, Ints
from repr.errors import UserError, nearest
from repr.learners.arrays import as_features
from repr.vectors import normalised

GONE = -1  # the product's number of an image that was removed


class Gallery:
    """Stored images in the order in which they came: features as the encoder gave them, product and id of each.

    An addition is kept as a piece of its own, so that it costs its own images and not those that were there; a removal keeps the rows and
    forgets whose they are. pieces: the features, (m, d) float32 each, which may be memory-mapped. names: products in the order in which
    they came, removed ones among them. columns: (n,) int64, the place of each image's product in `names`, or GONE. ids: (n,) int64.
    """

    def __init__(self, features: Array, products: Sequence[str], ids: Array) -> None:
        """features: (n, d); products: n texts; ids: (n,) whole numbers, none twice. Raises UserError for arrays that do not fit."""
        self.pieces: list[Floats] = []
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}
        self.columns: Ints = np.zeros(0, dtype=np.int64)
        self.ids: Ints = np.zeros(0, dtype=np.int64)
        self.add(features, products, ids)

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def width(self) -> int | None:
        """Numbers a feature; None before there is an image."""
        return self.pieces[0].shape[1] if self.pieces else None

    def add(self, features: Array, products: Sequence[str], ids: Array) -> None:
        """Take in images, as the constructor does."""
        features, ids = as_features(features, self.width), np.asarray(ids, dtype=np.int64)
        if not len(features) == len(products) == len(ids):
            what = f"{len(features)} features, {len(products)} products and {len(ids)} ids"
            raise UserError(what, "", "Give one of each for every image")
        if len(np.unique(ids)) < len(ids) or (len(self) and len(ids) and ids.min() <= self.ids.max() and np.isin(ids, self.ids).any()):
            raise UserError("an id stands for two images", "", "Number every image anew")
        if not len(features):
            return
        new = np.array([self._number(str(product)) for product in products], dtype=np.int64)
        self.pieces.append(features)
        self.columns, self.ids = np.concatenate([self.columns, new]), np.concatenate([self.ids, ids])
        self._forget_orders()

    def remove(self, products: Iterable[str]) -> None:
        """Take the images of products out. Raises UserError, and removes nothing, when one is not there."""
        gone = [self.number(product) for product in products]
        self.columns = np.where(np.isin(self.columns, gone), GONE, self.columns)
        self._forget_orders()

    def number(self, product: str) -> int:
        """The place of a product that has images in `names`. Raises UserError, with the nearest, for another."""
        number = self._numbers.get(product, GONE)
        if number == GONE or not len(self.rows_of(number)):
            known = [self.names[i] for i in np.unique(self.columns[self.alive])]
            raise UserError(f"no product {product!r}", "", nearest(product, known) if known else "Store its images first")
        return number

    @cached_property
    def alive(self) -> Ints:
        """(m,) the rows that were not removed, ascending."""
        return np.flatnonzero(self.columns != GONE)

    def rows_of(self, number: int) -> Ints:
        """(m,) the rows of a product, ascending."""
        order, starts = self._by_product
        return order[starts[number] : starts[number + 1]]

    def features(self, rows: Ints) -> Floats:
        """(m, d) the features of some rows, a copy."""
        found = np.empty((len(rows), self.width or 0), dtype=np.float32)
        ends = np.cumsum([len(piece) for piece in self.pieces])
        places = np.searchsorted(ends, rows, side="right")
        for place in np.unique(places):
            mine = places == place
            found[mine] = self.pieces[place][rows[mine] - (ends[place] - len(self.pieces[place]))]
        return found

    def unit(self, rows: Ints) -> Floats:
        """(m, d) the features of some rows, scaled to length 1."""
        return normalised(self.features(rows)) if len(rows) else self.features(rows)

    def checked(self, x: Array) -> Floats:
        """Features of queries (q, d), as float32. Raises UserError when they are not finite or of another width than those stored."""
        return as_features(x, self.width)

    def taught(self) -> tuple[Floats, Ints]:
        """Features (m, d) and columns (m,) of all that were not removed, to teach and to measure with."""
        return self.features(self.alive), self.columns[self.alive]

    def sample(self, most: int) -> Gallery:
        """The images of evenly spaced products, all of each, so that there are about `most` of them; itself where there are no more."""
        present = np.unique(self.columns[self.alive])
        share = most / max(len(self.alive), 1)
        if share >= 1:
            return self
        step = np.floor(np.arange(len(present)) * share)
        chosen = present[np.flatnonzero(np.diff(step, prepend=-1))]
        rows = np.flatnonzero(np.isin(self.columns, chosen))
        return Gallery(self.features(rows), [self.names[column] for column in self.columns[rows]], self.ids[rows])

    def _number(self, product: str) -> int:
        if product not in self._numbers:
            self._numbers[product] = len(self.names)
            self.names.append(product)
        return self._numbers[product]

    @cached_property
    def _by_product(self) -> tuple[Ints, Ints]:
        """The rows by product, and where each product's begin."""
        order = self.alive[np.argsort(self.columns[self.alive], kind="stable")]
        return order, np.searchsorted(self.columns[order], np.arange(len(self.names) + 1))

    def _forget_orders(self) -> None:
        for name in ("alive", "_by_product"):
            self.__dict__.pop(name, None)
