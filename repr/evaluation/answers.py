"""The classes a classifier names for each query, best first."""

from __future__ import annotations

from dataclasses import dataclass

from repr.arrays import Ints

TOP = 5  # classes named for each query


@dataclass(frozen=True)
class Answers:
    """predictions: (q, min(TOP, c)) int64 class numbers, best first."""

    predictions: Ints

    def accuracy(self, labels: Ints, top: int = 1, *, rows: Ints | None = None) -> float:
        """Share (0-1) of queries whose label (q,) is among the `top` first predictions; a label that was never taught counts as wrong.

        rows: positions of the queries that count; None for all.
        """
        right = (self.predictions[:, :top] == labels[:, None]).any(axis=1)
        return float((right if rows is None else right[rows]).mean())
