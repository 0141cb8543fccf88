"""Cut-outs: products without their ground, as scenes are pasted together from; kept a file a product, so that all processes share them.

Poses that show little of a product, such as a thin pack seen along its edge, are left out: it does not lie so on a counter (the pose
pruning of Wei et al., RPC, arXiv 1901.07249, which compares the area of the mask with the product's largest).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from repr.arrays import Array, Bools, Ints, Pixels
from repr.files import replacing
from repr.images.boxes import Box
from repr.images.reader import Unreadable, read_image, upright_box
from rpc_transfer.checkout.masks import Span, product_mask
from rpc_transfer.checkout.settings import Method

AROUND = 0.35  # of the box's longer side: ground that is looked at
POSES = 0.45  # of the area of a product's largest cut-out: smaller ones are poses that are left out
PIXELS, SHAPES = "pixels.npy", "shapes.npy"

Polygons = Sequence[Sequence[float]]  # x, y, x, y, … each, as COCO has them


@dataclass(frozen=True)
class Exemplar:
    """One exemplar to cut out: its file, the box of the product (None: all of the image), and its mask where the records have one."""

    file: Path
    box: Box | None
    polygons: Polygons = ()


def cut_out(exemplar: Exemplar, method: Method, shrink: float) -> Pixels:
    """(h, w, 4) RGBA uint8 of the product, cut to its mask's edges and shrunk by a factor of at most 1. Raises Unreadable."""
    pixels = np.asarray(read_image(exemplar.file))
    height, width = pixels.shape[:2]
    box = (0.0, 0.0, float(width), float(height)) if exemplar.box is None else upright_box(exemplar.file, exemplar.box)
    crop, (left, top, right, bottom), corner = _around(pixels, box)
    if exemplar.polygons:
        mask = _drawn(exemplar.polygons, corner, crop.shape[:2])
    else:
        mask = product_mask(crop, (left, top, right, bottom), method)
    if not mask.any():
        raise Unreadable("an empty mask")
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    alpha = mask[part].astype(np.uint8) * 255
    made = np.dstack([crop[part], alpha])
    if shrink < 1:
        size = max(4, round(made.shape[1] * shrink)), max(4, round(made.shape[0] * shrink))
        made = cv2.resize(made, size, interpolation=cv2.INTER_AREA)
    return made.astype(np.uint8)


def _around(pixels: Pixels, box: Box) -> tuple[Pixels, Span, tuple[int, int]]:
    """The crop around a box, the box in it, and the crop's corner. Raises Unreadable for a box outside the image."""
    height, width = pixels.shape[:2]
    x, y, w, h = box
    left, top = max(0, round(x)), max(0, round(y))
    right, bottom = min(width, round(x + w)), min(height, round(y + h))
    if right - left < 2 or bottom - top < 2:
        raise Unreadable("a box outside the image, or of no size")
    around = round(AROUND * max(right - left, bottom - top))
    x0, y0 = max(0, left - around), max(0, top - around)
    crop = pixels[y0 : min(height, bottom + around), x0 : min(width, right + around)]
    return crop, (left - x0, top - y0, right - x0, bottom - y0), (x0, y0)


def _drawn(polygons: Polygons, corner: tuple[int, int], shape: tuple[int, ...]) -> Bools:
    mask = np.zeros(shape[:2], np.uint8)
    points = [np.round(np.reshape(one, (-1, 2)) - corner).astype(np.int32) for one in polygons]
    cv2.fillPoly(mask, points, 1)
    return mask.astype(bool)


def write_product(folder: Path, exemplars: Sequence[Exemplar], method: Method, shrink: float) -> list[tuple[str, str]]:
    """Write the cut-outs of a product that are not pruned; returns the files that cannot be used, with the reason."""
    made: list[Pixels] = []
    bad: list[tuple[str, str]] = []
    for exemplar in exemplars:
        try:
            made.append(cut_out(exemplar, method, shrink))
        except Unreadable as error:
            bad.append((str(exemplar.file), error.reason))
    areas = np.array([(one[..., 3] > 127).sum() for one in made], np.int64)
    unpruned = [one for one, area in zip(made, areas, strict=True) if area >= POSES * areas.max()]
    with replacing(folder) as temporary:
        temporary.mkdir()
        np.save(temporary / PIXELS, np.concatenate([np.zeros(0, np.uint8), *(one.ravel() for one in unpruned)]))
        np.save(temporary / SHAPES, np.array([one.shape[:2] for one in unpruned], np.int64).reshape(-1, 2))
    return bad


@lru_cache(maxsize=512)
def _opened(folder: Path) -> tuple[Array, Ints, Ints]:
    shapes: Ints = np.load(folder / SHAPES)
    return np.load(folder / PIXELS, mmap_mode="r"), shapes, np.concatenate([[0], np.cumsum(shapes.prod(1) * 4)])


def shapes_of(folder: Path) -> Ints:
    """(n, 2) height and width of a product's cut-outs."""
    return _opened(folder)[1]


def read_cut_out(folder: Path, number: int) -> Pixels:
    """(h, w, 4) RGBA of a product's cut-out."""
    pixels, shapes, starts = _opened(folder)
    return np.array(pixels[starts[number] : starts[number + 1]]).reshape(*shapes[number], 4)
