"""The stored images as arrays: what learners are taught with and answers are searched in, without an index around it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Self

import numpy as np

from repr.arrays import Array, Bools, Doubles, Floats, Ints
from repr.errors import UserError, nearest
from repr.learners.arrays import as_features
from repr.lookup.room import Room, extended
from repr.vectors import normalised

NO_PRODUCT = -1  # in the place of a product's number: the image was removed
MOST = 20_000  # images measured with: what is chosen by more is the same
LATE = 4096  # images that are looked through for those of a product
CELLS = 40_000_000  # images measured with × their products: scores of all of them are held, 160 MB


class Gallery:
    """Stored images in the order in which they came; what comes or goes later makes another gallery.

    pieces: the directions of their features, (m, d) float32 of length 1 each, one piece after the other, which may be memory-mapped.
    norms: (n,) the lengths of the features as the encoder gave them, NaN where they are not at hand; they are needed to teach, not to
    answer. names: products by number. columns: (n,) int64, the number of each image's product, or NO_PRODUCT. ids: (n,) int64.
    """

    def __init__(self, features: Array, products: Sequence[str], ids: Array) -> None:
        """features: (n, d); products: n texts; ids: (n,) whole numbers, none twice. Raises UserError for arrays that do not fit."""
        features, ids = as_features(features), np.asarray(ids, dtype=np.int64)
        if not len(features) == len(products) == len(ids):
            what = f"{len(features)} features, {len(products)} products and {len(ids)} ids"
            raise UserError(what, "", "Give one of each for every image")
        if len(np.unique(ids)) < len(ids):
            raise UserError("an id stands for two images", "", "Number every image anew")
        numbers = {name: number for number, name in enumerate(dict.fromkeys(products))}
        self._set([normalised(features)] if len(features) else [], np.linalg.norm(features, axis=1).astype(np.float32), list(numbers), ids)
        self.columns: Ints = np.array([numbers[product] for product in products], dtype=np.int64)

    def _set(self, pieces: Sequence[Floats], norms: Floats, names: list[str], ids: Ints) -> None:
        self.pieces, self.norms, self.names, self.ids = pieces, norms, names, ids
        self._room: Room | None = None
        self._living: Room | None = None
        self._ends = np.cumsum([0, *map(len, pieces)])

    @classmethod
    def of_numbers(cls, pieces: Sequence[Floats], products: Ints, ids: Ints, alive: Bools, norms: Floats | None = None) -> Self:
        """A gallery whose products are called by their numbers (n,) in an index ("17"), so that it does not matter how they are renamed.

        ids: (n,), ascending. alive: (n,) False for images that were removed. norms: (n,); None where they are not at hand.
        """
        made = cls.__new__(cls)
        names = list(map(str, range(int(products.max(initial=-1)) + 1)))
        made._set(pieces, np.full(len(ids), np.nan, np.float32) if norms is None else norms, names, ids)
        made.columns = np.where(alive, products, NO_PRODUCT)
        return made

    def grown(self, pieces: Sequence[Floats], products: Ints, ids: Ints, norms: Floats) -> Self:
        """With images more behind its own: products (m,) by number and norms (m,) of these, pieces and ids of all.

        It is not made anew: of 500,000 images that takes some twenty times as long as an answer.
        """
        made, n = self.__class__.__new__(self.__class__), len(self)
        end = int(products.max(initial=-1)) + 1
        names = [*self.names, *map(str, range(len(self.names), end))] if end > len(self.names) else self.names
        room, (columns, all_norms) = extended(self._room, (self.columns, self.norms), (products, norms))
        made._set(pieces, all_norms, names, ids)
        made.columns, made._room = columns, room
        made._living, (made.alive,) = extended(self._living, (self.alive,), (np.arange(n, n + len(products)),))
        counts = np.zeros(len(names), dtype=np.int64)
        counts[: len(self.counts)] = self.counts
        np.add.at(counts, products, 1)
        made.counts = counts
        if n + len(products) - self._by_product[2] <= LATE:
            made._by_product = self._by_product
        return made

    def extends(self, other: Gallery) -> bool:
        """Whether it is `other`, but for images behind."""
        return self._room is not None and self._room is other._room and len(self) >= len(other)

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def width(self) -> int | None:
        """Numbers a feature; None before there is an image."""
        return self.pieces[0].shape[1] if len(self.pieces) else None

    def number(self, product: str) -> int:
        """The number of a product that has images. Raises UserError, with the nearest, for another."""
        number = self._numbers.get(product, NO_PRODUCT)
        if number == NO_PRODUCT or not len(self.rows_of(number)):
            known = [self.names[i] for i in np.flatnonzero(self.counts)]
            raise UserError(f"no product {product!r}", "", nearest(product, known) if known else "Store its images first")
        return number

    def numbers(self, products: Sequence[str]) -> Ints:
        """(m,) the numbers of products that are known to be there."""
        return np.array([self._numbers[product] for product in products], dtype=np.int64)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.names)}

    @cached_property
    def alive(self) -> Ints:
        """(m,) the rows that were not removed, ascending."""
        return np.flatnonzero(self.columns != NO_PRODUCT)

    @cached_property
    def counts(self) -> Ints:
        """(p,) how many images each product of `names` has."""
        return np.bincount(self.columns[self.alive], minlength=len(self.names))

    @cached_property
    def present(self) -> Ints:
        """(c,) the numbers of products that have images, ascending."""
        return np.flatnonzero(self.counts)

    @property
    def n_products(self) -> int:
        """How many products have images."""
        return len(self.present)

    @property
    def n_images(self) -> int:
        """How many images were not removed."""
        return len(self.alive)

    def owners(self, rows: Ints) -> Ints:
        """(m,) the numbers of some rows' products, NO_PRODUCT for images that were removed."""
        return self.columns[rows]

    def rows_of(self, number: int) -> Ints:
        """(m,) the rows of a product, ascending."""
        order, starts, n = self._by_product
        early = order[starts[number] : starts[number + 1]] if number + 1 < len(starts) else order[:0]
        late = n + np.flatnonzero(self.columns[n:] == number)
        return np.concatenate([early, late]) if len(late) else early

    @cached_property
    def _by_product(self) -> tuple[Ints, Ints, int]:
        """The rows by product, where each product's begin, and how many rows were sorted: later ones (`grown`) are looked through."""
        order = self.alive[np.argsort(self.columns[self.alive], kind="stable")]
        return order, np.concatenate([[0], np.cumsum(self.counts)]), len(self)

    def unit(self, rows: Ints) -> Floats:
        """(m, d) the directions of some rows' features, a copy: length 1, or 0 where a feature is all zeros."""
        vectors = np.empty((len(rows), self.width or 0), dtype=np.float32)
        places = np.searchsorted(self._ends, rows, side="right") - 1
        for place in np.unique(places):
            mine = places == place
            vectors[mine] = self.pieces[place][rows[mine] - self._ends[place]]
        return vectors

    def features(self, rows: Ints) -> Floats:
        """(m, d) the features of some rows whose norms are at hand, as the encoder gave them but for rounding."""
        norms = self.norms[rows]
        assert not np.isnan(norms).any(), "norms are needed to teach"
        return np.asarray(self.unit(rows) * norms[:, None], dtype=np.float32)

    def checked(self, x: Array) -> Floats:
        """Features of queries (q, d), as float32. Raises UserError when they are not finite or of another width than those stored."""
        return as_features(x, self.width)

    def taught(self) -> tuple[Floats, Ints]:
        """Features (m, d) and columns (m,) of all that were not removed, to teach and to measure with."""
        return self.features(self.alive), self.columns[self.alive]

    def sample(self) -> Gallery:
        """The images of evenly spaced products, all of each, so that they can be measured with (`sampled`); itself if that is all."""
        rows = self.alive[sampled(self.columns[self.alive], MOST, CELLS)]
        if len(rows) == len(self.alive):
            return self
        return Gallery(self.features(rows), [self.names[column] for column in self.columns[rows]], self.ids[rows])


def sampled(products: Ints, most: int = MOST, cells: int = CELLS) -> Ints:
    """(m,) places, ascending, of all images of evenly spaced products, by the product (n,) of each: some `most` images, whose number times
    that of their products is some `cells`; all where there are no more."""
    present, columns = np.unique(products, return_inverse=True)
    shares: Doubles = np.array([1.0, most / max(len(products), 1), (cells / max(len(products) * len(present), 1)) ** 0.5])
    if (share := float(shares.min())) == 1:
        return np.arange(len(products))
    chosen = np.diff(np.floor(np.arange(len(present)) * share), prepend=-1) > 0
    return np.flatnonzero(chosen[columns])
