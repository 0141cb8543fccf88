"""A surface in space as the points that are printed on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repr.arrays import Array


@dataclass(frozen=True)
class Cloud:
    """Points of a surface: `place` and `normal` float32 (3, n), `colour` float32 (3, n) in 0–255."""

    place: Array
    normal: Array
    colour: Array

    def join(self, *others: Cloud) -> Cloud:
        """The points of this cloud, then those of the others, in one."""
        parts = (self, *others)
        return Cloud(*(np.concatenate([getattr(p, name) for p in parts], axis=1) for name in ("place", "normal", "colour")))
