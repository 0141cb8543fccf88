"""Boxes in which somebody sees one product each, whoever it is; without doubled ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from repr.arrays import Bools, Doubles
from repr.images.boxes import Box

OVERLAP, INSIDE = 0.5, 0.85  # IoU of two boxes for one product; share of a box in another's for a part of it


@dataclass(frozen=True)
class Proposal:
    """A box, x, y, w, h in pixels of the image, how surely it is one product, 0 to 1, and which, "" where only an index can tell."""

    box: Box
    score: float
    product: str = ""


Proposer = Callable[[Image.Image], list[Proposal]]  # of an upright RGB image; none of an empty counter


def distinct(proposals: Sequence[Proposal], *, overlap: float = OVERLAP, inside: float = INSIDE) -> list[Proposal]:
    """Without doubled boxes, whatever they are of: of boxes that overlap by an IoU of `overlap`, or of which more than the share `inside`
    lies in the other, the surest stays; the surest first."""
    ordered = sorted(proposals, key=lambda proposal: (-proposal.score, proposal.box))
    boxes = np.array([one.box for one in ordered], np.float64).reshape(-1, 4)
    free, apart = np.ones(len(ordered), bool), list[Proposal]()
    for place, one in enumerate(ordered):
        if free[place]:
            apart.append(one)
            free &= ~_same(boxes[place], boxes, overlap, inside)
    return apart


def _same(box: Doubles, boxes: Doubles, overlap: float, inside: float) -> Bools:
    """(n,) whether each of the boxes (n, 4) is of the product of a box (4,)."""
    ends = np.minimum(box[:2] + box[2:], boxes[:, :2] + boxes[:, 2:])
    common = np.clip(ends - np.maximum(box[:2], boxes[:, :2]), 0, None).prod(1)
    own, others = box[2:].prod(), boxes[:, 2:].prod(1)
    return np.asarray((common > overlap * (own + others - common)) | (common > inside * np.minimum(own, others)))
