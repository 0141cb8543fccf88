"""What comes of decoding: squares in chunks, and the files that could not be read."""

from __future__ import annotations

from dataclasses import dataclass

from repr.arrays import Ints, Pixels


@dataclass(frozen=True)
class Chunk:
    """Some of the images asked for.

    positions: (k,) int64, the readable ones; pixels: (k, size, size, 3) uint8, theirs; bad: (position, reason) of the others.
    """

    positions: Ints
    pixels: Pixels
    bad: list[tuple[int, str]]


@dataclass(frozen=True)
class Quarantined:
    """An image file that could not be read, and why."""

    path: str
    reason: str
