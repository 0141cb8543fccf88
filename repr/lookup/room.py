"""Columns of rows with room at their end: a few rows more copy no others, and who holds earlier columns keeps them as they are.

room, (ids, products) = extended(None, (ids, products), (more_ids, more_products))
room, (ids, products) = extended(room, (ids, products), (one_id, one_product))      # nothing is copied but the one
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[Any]
SPARE = 8  # a room for n rows has space for n / SPARE more
LEAST = 1024  # rows that there is space for at least


class Room:
    """Space for columns of equally many rows. As long as rows come into the same room, none of before has changed."""

    def __init__(self, columns: Sequence[Column], more: Sequence[Column]) -> None:
        """columns: copied here; more: what follows them."""
        self.length = len(columns[0]) + len(more[0])
        size = self.length + max(LEAST, self.length // SPARE)
        self._columns = [np.empty(size, column.dtype) for column in columns]
        self._lock = threading.Lock()
        for place, column, new in zip(self._columns, columns, more, strict=True):
            place[: len(column)], place[len(column) : self.length] = column, new

    def take(self) -> tuple[Column, ...]:
        """All rows."""
        return tuple(column[: self.length] for column in self._columns)

    def add(self, length: int, more: Sequence[Column]) -> tuple[Column, ...] | None:
        """The first `length` rows with more behind them; None where others stand there by now, or there is no space."""
        with self._lock:
            end = length + len(more[0])
            if self.length != length or end > len(self._columns[0]):
                return None
            for place, new in zip(self._columns, more, strict=True):
                place[length:end] = new
            self.length = end
            return self.take()


def extended(room: Room | None, columns: Sequence[Column], more: Sequence[Column]) -> tuple[Room, tuple[Column, ...]]:
    """Columns (n,) with more (m,) behind each, and the room that they are in. room: where `columns` are; None for elsewhere."""
    grown = None if room is None else room.add(len(columns[0]), more)
    if room is None or grown is None:
        room = Room(columns, more)
        return room, room.take()
    return room, grown
