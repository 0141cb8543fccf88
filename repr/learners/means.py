"""One row a class, and the running mean of each class: the memory of the learners in closed form."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from repr.arrays import Array, Doubles, Floats, Ints
from repr.errors import UserError
from repr.learners.stored import Arrays, Stored

BLOCK = 1024  # classes a block: 2 MiB at 512 dimensions, so that one block stays in a processor's cache


class ClassRows:
    """A float32 row for each class, found by its number, in blocks that stay where they are.

    A new class never moves the others, and one that goes only the last, which takes its place: either costs the same in a shop of 10
    products and of 100,000.
    """

    def __init__(self) -> None:
        self._blocks: list[Floats] = []
        self._squares: dict[int, Floats] = {}  # block -> squared lengths of its rows, made when asked for
        self._position: dict[int, int] = {}
        self._labels: list[int] = []
        self._sorted: tuple[Ints, Ints | None] | None = None

    def __len__(self) -> int:
        return len(self._labels)

    def __contains__(self, label: int) -> bool:
        return label in self._position

    @property
    def width(self) -> int | None:
        """Dimensions of a row; None while there is no row."""
        return self._blocks[0].shape[1] if self._blocks else None

    @property
    def classes(self) -> Ints:
        """(C,) int64, sorted."""
        return self._in_order()[0]

    def place(self, label: int) -> int:
        """Where a class stands among those of `blocks`."""
        return self._position[label]

    def row(self, label: int) -> Floats:
        """(d,) the row of a class, to read."""
        position = self.place(label)
        row: Floats = self._blocks[position // BLOCK][position % BLOCK]
        return row

    def put(self, label: int, row: Array) -> None:
        """Set the row of a class, new or known. row: (d,)."""
        if label not in self._position:
            if len(self) % BLOCK == 0:
                self._blocks.append(np.empty((BLOCK, len(row)), dtype=np.float32))
            self._position[label] = len(self)
            self._labels.append(label)
            self._sorted = None
        self._squares.pop(self._position[label] // BLOCK, None)
        self.row(label)[:] = row

    def drop(self, label: int) -> tuple[int, int]:
        """Forget a class. Returns the place of its row, and the place of the last row, which has taken it: the last is free now."""
        hole, last = self._position.pop(label), len(self) - 1
        for place in (hole, last):
            self._squares.pop(place // BLOCK, None)
        moved = self._labels.pop()
        if moved != label:
            self._blocks[hole // BLOCK][hole % BLOCK] = self._blocks[last // BLOCK][last % BLOCK]
            self._position[moved] = hole
            self._labels[hole] = moved
        if last % BLOCK == 0:
            self._blocks.pop()
        self._sorted = None
        return hole, last

    def blocks(self) -> Iterator[Floats]:
        """The rows, (≤ BLOCK, d) at a time, in the order in which the classes came."""
        for i, block in enumerate(self._blocks):
            yield block[: len(self) - i * BLOCK]

    def rows(self) -> Floats:
        """(C, d), a copy, in the order of `classes`."""
        self.require()
        rows, positions = np.concatenate(list(self.blocks())), self._in_order()[1]
        return rows if positions is None else rows[positions]

    def products(self, x: Floats) -> Floats:
        """(n, C) scalar products of the queries x (n, d) with every class's row, columns in the order of `classes`."""
        self.require()
        products = np.empty((len(x), len(self)), dtype=np.float32)
        for i, block in enumerate(self.blocks()):
            products[:, i * BLOCK : i * BLOCK + len(block)] = x @ block.T
        return self.in_order(products)

    def squares(self) -> Floats:
        """(C,) squared lengths of the rows, in the order of `classes`."""
        self.require()
        for i, block in enumerate(self.blocks()):
            if i not in self._squares:
                self._squares[i] = np.einsum("cd,cd->c", block, block)
        return self.in_order(np.concatenate([self._squares[i] for i in range(len(self._blocks))]))

    def in_order(self, values: Floats) -> Floats:
        """Values (…, C) of the classes as they came, put in the order of `classes`."""
        positions = self._in_order()[1]
        return values if positions is None else values[..., positions]

    def arrays(self) -> Arrays:
        """labels (C,) and rows (C, d), as the classes came: the rounding of products depends on where a row stands in its block."""
        rows = np.concatenate(list(self.blocks())) if self._blocks else np.zeros((0, 0), dtype=np.float32)
        return {"labels": np.array(self._labels, dtype=np.int64), "rows": rows}

    def restore(self, stored: Stored, width: int | None = None) -> None:
        """Take over what `arrays` gave. width: dimensions, where they are known. Raises UserError for arrays that do not fit."""
        labels = stored.ints("labels", None)
        rows = stored.floats("rows", len(labels), width if len(labels) else None)
        self._labels = labels.tolist()
        self._position = dict(zip(self._labels, range(len(labels)), strict=True))
        stored.require(len(self._position) == len(labels), "a class has two rows")
        self._blocks, self._squares, self._sorted = [], {}, None
        for start in range(0, len(rows), BLOCK):
            part = rows[start : start + BLOCK]
            self._blocks.append(np.empty((BLOCK, rows.shape[1]), dtype=np.float32))
            self._blocks[-1][: len(part)] = part

    def require(self) -> None:
        """Raise UserError when nothing was learned yet."""
        if not self._labels:
            raise UserError("nothing has been learned yet", "", "Teach it the first classes before asking")

    def _in_order(self) -> tuple[Ints, Ints | None]:
        """The class numbers sorted, and where each one's row is (None: in that order already)."""
        if self._sorted is None:
            labels = np.array(self._labels, dtype=np.int64)
            positions = np.argsort(labels)
            classes = labels[positions]
            self._sorted = classes, None if np.array_equal(classes, labels) else positions
        return self._sorted


class ClassMeans(ClassRows):
    """The mean feature of each class, exact however the images are dealt over the steps.

    images: how many were added; total: (d,) float64, the sum of their features; spread: the sum of their squared
    distances to the means of their classes.
    """

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[int, int] = {}
        self._spreads: dict[int, float] = {}  # of each class, its part of `spread`
        self.images = 0
        self.total: Doubles = np.zeros(1)
        self.spread = 0.0

    @property
    def usual(self) -> float:
        """Mean squared distance of an image to the mean of its class; where every class has one image, to that of all; 1 for none."""
        if self.spread:
            return self.spread / self.images
        middle = self.total / self.images
        return max(float(self.squares().mean()) - float(middle @ middle), 0.0) or 1.0

    def count(self, label: int) -> int:
        """How many images of the class were added."""
        return self._counts.get(label, 0)

    def add(self, label: int, x: Array) -> Doubles:
        """Add images of one class, x (m, d), m ≥ 1.

        Returns (m or m + 1, d) float64, rows whose outer products sum to what the images add to the scatter around
        the class means: their deviations from their own mean and, for a known class, the weighted shift between the
        old mean and theirs (Chan, Golub & LeVeque, Updating Formulae and a Pairwise Algorithm, 1979, equation 2.1b).
        """
        x = np.asarray(x, dtype=np.float64)
        mean, before, new = x.mean(axis=0), self.count(label), len(x)
        deviations: Doubles = x - mean
        if before:
            shift = mean - self.row(label)
            deviations = np.vstack([deviations, shift * np.sqrt(before * new / (before + new))])
            mean = self.row(label) + shift * (new / (before + new))
        self.put(label, mean)
        self._counts[label] = before + new
        self.images += new
        self.total = self.total + x.sum(axis=0)
        added = float(np.vdot(deviations, deviations))
        self._spreads[label] = self._spreads.get(label, 0.0) + added
        self.spread += added
        return deviations

    def remove(self, classes: Iterable[int]) -> list[tuple[int, int]]:
        """Take classes and their images away; the places as `drop` gives them, one after the other.

        As if they had never been added, but for rounding: what is left of `total` had float32 means taken from it.
        """
        places = []
        for label in classes:
            count = self._counts.pop(label)
            self.total = self.total - count * self.row(label).astype(np.float64)
            self.images -= count
            del self._spreads[label]
            places.append(self.drop(label))
        self.spread = math.fsum(self._spreads.values())  # anew, so that single images are left with exactly 0
        if not self.images:
            self.total = np.zeros(1)
        return places

    def arrays(self) -> Arrays:
        """Those of `ClassRows`; counts and spreads (C,) as the classes came; total (d,) and spread."""
        counts = np.array([self._counts[label] for label in self._labels], dtype=np.int64)
        spreads = np.array([self._spreads[label] for label in self._labels], dtype=np.float64)
        return {**super().arrays(), "counts": counts, "spreads": spreads, "total": self.total, "spread": np.array(self.spread)}

    def restore(self, stored: Stored, width: int | None = None) -> None:
        """As `ClassRows`; every class must have an image."""
        super().restore(stored, width)
        counts, spreads = stored.ints("counts", len(self)), stored.doubles("spreads", len(self))
        stored.require(bool((counts > 0).all()), "a class has no image")
        self._counts = dict(zip(self._labels, counts.tolist(), strict=True))
        self._spreads = dict(zip(self._labels, spreads.tolist(), strict=True))
        self.images = int(counts.sum())
        self.total = stored.doubles("total", self.width if len(self) else 1)
        self.spread = stored.number("spread")
