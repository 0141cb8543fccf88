"""What a detector is shown of an image, and what becomes of its answer: the same with PyTorch and without."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from repr.arrays import Floats, Pixels
from repr.checkout.proposal import Proposal, distinct

GREY = 114  # beside an image that is no square
LEAST = 0.05  # score; boxes below are not looked at
MOST = 1000  # boxes that are looked at, the surest
KEPT = 100  # boxes of an image, as COCO counts at most
SMALLEST = 2.0  # pixels of a side
# A box of which more than this share lies in a surer one is of the same product: with an IoU of 0.5 the most validation scenes of pasted
# fruits, real exemplars and the synthetic shop counted rightly (IoU 0.4 to 0.7, shares 0.6 to 1; six detectors).
INSIDE = 0.7


def squared(image: Image.Image, side: int) -> tuple[Pixels, float]:
    """The image in the upper left of a (side, side, 3) square, and by how much it was scaled."""
    scale = side / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    square = np.full((side, side, 3), GREY, np.uint8)
    square[: size[1], : size[0]] = np.asarray(image.resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0))
    return square, scale


def proposals_of(
    boxes: Floats, scores: Floats, classes: Sequence[str], scale: float, size: tuple[int, int], least: float = LEAST
) -> list[Proposal]:
    """What a detector's answer to one square comes to, the surest first.

    boxes: (n, 4) x0, y0, x1, y1 in pixels of the square; scores: (n, max(1, classes)); scale: of the square to the image, whose size is
    `size`; least: the lowest score.
    """
    best, label = scores.max(1), scores.argmax(1)
    rows = np.argsort(-best, kind="stable")[:MOST]
    rows = rows[best[rows] >= least]
    corners = np.clip(boxes[rows].astype(np.float64) / scale, 0, np.array([*size, *size], np.float64))
    shapes = np.column_stack([corners[:, :2], corners[:, 2:] - corners[:, :2]])
    proposals = [
        Proposal((x, y, w, h), float(best[row]), classes[label[row]] if classes else "")
        for row, (x, y, w, h) in zip(rows.tolist(), shapes.tolist(), strict=True)
        if min(w, h) >= SMALLEST
    ]
    return distinct(proposals, inside=INSIDE)[:KEPT]
