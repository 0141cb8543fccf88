"""Boxes x, y, w, h compared by hand: of nothing that the package has."""

from __future__ import annotations

from repr.images.boxes import Box


def common(a: Box, b: Box) -> float:
    across = max(0.0, min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0]))
    return across * max(0.0, min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1]))


def iou(a: Box, b: Box) -> float:
    return common(a, b) / (a[2] * a[3] + b[2] * b[3] - common(a, b))


def shared_part(a: Box, b: Box) -> float:
    return common(a, b) / min(a[2] * a[3], b[2] * b[3])
