"""Random views of a counter for the training of detectors: it has no up or down, is nearer or farther, and under any light."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from repr.arrays import Floats, Ints

CLOSEST = 0.7  # of the side: the smallest part that is looked at
KEPT = 0.4  # of a box's area: of a product that the edge cuts off, less is no product


def augmented(pixels: Tensor, boxes: Floats, labels: Ints, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """A view of a square (s, s, 3) uint8 with boxes (m, 4) x0, y0, x1, y1 and labels (m,): (3, s, s) in 0..1, boxes and labels."""
    side = pixels.shape[0]
    view = pixels.permute(2, 0, 1).float() / 255
    corners = torch.from_numpy(boxes)
    if rng.random() < 0.5:
        view, corners = view.flip(2), _mirrored(corners, side)
    for _ in range(int(rng.integers(4))):
        view, corners = view.transpose(1, 2).flip(2), _mirrored(corners[:, [1, 0, 3, 2]], side)
    view, corners, stays = _nearer(view, corners, rng)
    gain = torch.from_numpy((rng.uniform(0.7, 1.3) * rng.uniform(0.9, 1.1, 3)).astype(np.float32))
    contrast = float(rng.uniform(0.8, 1.2))
    view = ((view * gain[:, None, None] - 0.5) * contrast + 0.5).clamp(0, 1)
    return view, corners, torch.from_numpy(labels)[stays]


def _mirrored(boxes: Tensor, side: int) -> Tensor:
    return torch.stack([side - boxes[:, 2], boxes[:, 1], side - boxes[:, 0], boxes[:, 3]], 1)


def _nearer(view: Tensor, boxes: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """A part of the view, at least CLOSEST of its side, at the view's size; the boxes that are left, and which of them (m,)."""
    side = view.shape[1]
    part = int(side * rng.uniform(CLOSEST, 1)) if rng.random() < 0.5 else side
    left, top = (int(rng.integers(side - part + 1)) for _ in range(2))
    if part == side:
        return view, boxes, torch.ones(len(boxes), dtype=torch.bool)
    cut = interpolate(view[None, :, top : top + part, left : left + part], (side, side), mode="bilinear", align_corners=False)[0]
    moved = (boxes - torch.tensor([left, top, left, top])).clamp(0, part)
    before, after = ((one[:, 2:] - one[:, :2]).prod(1) for one in (boxes, moved))
    stays = after >= KEPT * before
    return cut, moved[stays] * (side / part), stays
