"""The classes a classifier names for each query, best first."""

from __future__ import annotations

from dataclasses import dataclass

from repr.arrays import Ints

TOP = 5  # classes named for each query


@dataclass(frozen=True)
class Answers:
    """predictions: (q, min(TOP, c)) int64 class numbers, best first."""

    predictions: Ints

    def accuracy(self, labels: Ints, top: int = 1) -> float:
        """Share (0-1) of queries whose label is among the `top` first predictions; a label that was never taught counts as wrong."""
        return float((self.predictions[:, :top] == labels[:, None]).any(axis=1).mean())
