"""Boxes of products without training: what differs from the counter, parted where products touch.

The counter is one colour under uneven light: a surface of second degree in L*a*b*, fitted to the pixels that it explains. What differs is
divided by its middles, the points deepest inside, as a watershed of the distance to the counter does: every pixel goes to the middle whose
circle of that depth is nearest. (OpenCV's own watershed floods differences of neighbouring pixels, not depths: on depths it parts nothing.)
"""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from repr.arrays import Bools, Floats, Ints, Pixels
from repr.checkout.proposal import Proposal, distinct

SIDE = 360  # pixels of the longer side at which the counter is looked at
LIGHTNESS = 0.6  # how much lightness counts beside the two colours: shadows are lightness alone
FITS = 4  # rounds of the fit; each leaves out what the last did not explain
SHADED, DARKEST = 0.25, 40.0  # how much of a darker lightness counts, to which depth (units of L*): shadows; what is darker is no shadow
DIFFERENT = 7.0  # units of L*a*b* from the counter
SMALLEST = 0.0012  # of the image's area
EDGE = 20.0  # units of lightness, of Sobel's operator: shadows are softer
HOLE = 0.001  # of the image's area: smaller gaps in a product are its own
NEAR, NECK = 0.025, 0.9  # of the side: one middle within that; of the middles' depth: a way less deep leads over a neck


def propose(image: Image.Image) -> list[Proposal]:
    """The products on a counter, the surest first; none on an empty one. The score is how convex the product is."""
    width, height = image.size
    scale = min(1.0, SIDE / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    pixels = np.asarray(image.resize(size, Image.Resampling.BOX, reducing_gap=2.0))
    if min(pixels.shape[:2]) < 8:
        return []
    labels = _divided(_different(pixels))
    proposals = []
    for number in range(1, int(labels.max()) + 1):
        mask = labels == number
        if mask.sum() >= SMALLEST * mask.size:
            proposals.append(_boxed(mask, width / size[0], height / size[1]))
    return distinct(proposals)


def _different(pixels: Pixels) -> Bools:
    """(h, w) what is not the counter: of another colour, or with edges, which the counter has none of."""
    lab: Floats = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    coloured = _coloured(lab * np.array([LIGHTNESS, 1, 1], np.float32))
    mask = (coloured | _edged(lab[..., 0])).astype(np.uint8)
    solid = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, _disc(3))
    holes, sizes = cv2.connectedComponentsWithStats(1 - solid, connectivity=4)[1:3]
    small = sizes[:, cv2.CC_STAT_AREA] < HOLE * mask.size
    solid[small[holes]] = 1
    return np.asarray(cv2.morphologyEx(solid, cv2.MORPH_OPEN, _disc(7)), bool)


def _coloured(lab: Floats) -> Bools:
    surface = _surface(lab.shape[:2])
    border = np.ones(lab.shape[:2], bool)
    edge = max(2, round(0.06 * min(lab.shape[:2])))
    border[edge:-edge, edge:-edge] = False
    ground = border & (np.abs(lab - np.median(lab[border], 0)).max(-1) < 3 * DIFFERENT)
    distance = np.zeros(lab.shape[:2], np.float32)
    for _ in range(FITS):
        if ground.sum() < 50:
            break
        weights = np.linalg.lstsq(surface[ground][::11], lab[ground][::11], rcond=None)[0]
        apart = lab - surface @ weights
        ground = np.sqrt((apart**2).sum(-1)) < DIFFERENT
        shadow = (apart[..., 0] < 0) & (apart[..., 0] > -LIGHTNESS * DARKEST)
        apart[..., 0] = np.where(shadow, SHADED * apart[..., 0], apart[..., 0])
        distance = np.sqrt((apart**2).sum(-1))
    return np.asarray(distance >= DIFFERENT)


def _edged(lightness: Floats) -> Bools:
    smooth = cv2.GaussianBlur(lightness, (0, 0), 1.0)
    steps = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    return np.asarray(np.hypot(*steps) > EDGE)


def _surface(shape: tuple[int, ...]) -> Floats:
    """(h, w, 6) the terms of a surface of second degree."""
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j].astype(np.float32)
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], -1)


def _divided(mask: Bools) -> Ints:
    """(h, w) a number for each product, 0 for the counter."""
    depth: Floats = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    depth = cv2.GaussianBlur(depth, (0, 0), 1.5) * mask
    nearest, numbers = np.full(mask.shape, np.inf, np.float32), np.zeros(mask.shape, np.int64)
    for number, points in enumerate(_middles(depth), 1):
        away = np.ones(mask.shape, np.uint8)
        for (x, y), (x2, y2) in zip(points, [*points[1:], points[-1]], strict=True):
            cv2.line(away, (x, y), (x2, y2), 0, 1)
        distance: Floats = cv2.distanceTransform(away, cv2.DIST_L2, 5) - float(depth[points[0][1], points[0][0]])
        closer = mask & (distance < nearest)
        nearest[closer], numbers[closer] = distance[closer], number
    return numbers


def _middles(depth: Floats) -> list[list[tuple[int, int]]]:
    """The deepest points (x, y), together where the way between two is nearly as deep as they are: along one product, not over a neck."""
    near = max(2, round(NEAR * max(depth.shape)))
    tops = (depth > 2) & (depth >= cv2.dilate(depth, _disc(2 * near + 1)))
    points = [(int(x), int(y)) for x, y in cv2.connectedComponentsWithStats(tops.astype(np.uint8))[3][1:].round()]
    groups: list[list[tuple[int, int]]] = []
    for point in sorted(points, key=lambda one: -depth[one[1], one[0]]):
        along = [group for group in groups if any(_one_product(depth, point, other) for other in group)]
        if along:
            along[0].append(point)
        else:
            groups.append([point])
    return groups


def _one_product(depth: Floats, one: tuple[int, int], other: tuple[int, int]) -> bool:
    steps = np.linspace(0, 1, 24)[:, None]
    way = np.round(np.array(one) * (1 - steps) + np.array(other) * steps).astype(np.int64)
    return float(depth[way[:, 1], way[:, 0]].min()) > NECK * float(min(depth[one[1], one[0]], depth[other[1], other[0]]))


def _disc(diameter: int) -> Pixels:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter)), np.uint8)


def _boxed(mask: Bools, across: float, down: float) -> Proposal:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    left, top, right, bottom = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    points = np.argwhere(mask)[:, ::-1].astype(np.int32)
    hull = max(1.0, float(cv2.contourArea(cv2.convexHull(points))))
    box = float(left * across), float(top * down), float((right - left) * across), float((bottom - top) * down)
    return Proposal(box, min(1.0, float(mask.sum()) / hull))
