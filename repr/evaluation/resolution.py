"""Accuracy by the resolution of the source: small images are often the hard ones."""

from __future__ import annotations

import itertools
from typing import TypedDict

import numpy as np

from repr.arrays import Bools, Ints
from repr.catalog.table import Catalog
from repr.images.reader import shorter_side

Range = TypedDict("Range", {"from": int, "to": int | None, "n": int, "accuracy": float})  # pixels, inclusive; images; fraction 0-1

# MEP-3M has images of 75 and of 220 pixels; the bounds keep the two apart, and RPC's exemplars from both.
BOUNDS = (75, 150, 220, 400, 1000)


def short_sides(catalog: Catalog, rows: Ints) -> Ints:
    """(n,) shorter side in pixels of the image (or box) of each row: of the box, of the records, else of the file's header."""
    widths, heights = catalog.column("width"), catalog.column("height")
    boxes, sides = catalog.boxes(), np.zeros(len(rows), np.int64)
    for i, row in enumerate(rows):
        box, width, height = boxes[row], widths[row], heights[row]
        if box is not None:
            width, height = box[2], box[3]
        elif not (width and height and width == width and height == height):  # null, or NaN from a column with nulls
            width = height = shorter_side(catalog.file(int(row)))
        sides[i] = int(min(width, height))
    return sides


def by_resolution(sides: Ints, correct: Bools) -> list[Range]:
    """Accuracy and number of images for each range of the shorter side that occurs. sides: (n,) pixels; correct: (n,)."""
    edges = [0, *BOUNDS, None]
    ranges: list[Range] = []
    for low, high in itertools.pairwise(edges):
        assert low is not None
        inside = (sides > low) & (sides <= (high or np.iinfo(np.int64).max))
        if inside.any():
            share = float(correct[inside].mean())
            ranges.append({"from": low + 1, "to": high, "n": int(inside.sum()), "accuracy": share})
    return ranges
