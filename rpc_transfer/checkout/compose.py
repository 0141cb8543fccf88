"""One scene: cut-outs on a counter, scaled, turned, with shadows, under one light, none covered by more than a bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from repr.arrays import Array, Bools, Floats, Pixels

ATTEMPTS = 24  # places tried for a product before it is made smaller
SMALLER = 0.85
SHADOW = 0.45  # of the light that the darkest shadow takes
EDGE = 0.02  # of the side that products keep away from the edge


@dataclass(frozen=True)
class Thing:
    """One product of a scene as it is seen: its number for the caller, its visible mask (h, w) and where that lies (left, top)."""

    category: int
    mask: Bools
    left: int
    top: int

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x, y, w, h in pixels of the visible mask."""
        return float(self.left), float(self.top), float(self.mask.shape[1]), float(self.mask.shape[0])

    def point(self) -> tuple[float, float]:
        """The point that lies deepest in the mask."""
        depth = cv2.distanceTransform(np.pad(self.mask.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
        row, column = np.unravel_index(int(depth.argmax()), depth.shape)
        return float(self.left + column), float(self.top + row)

    def polygons(self) -> list[list[int]]:
        """Outlines along the edges of pixels, as COCO has them: x, y, x, y, …"""
        # At twice the size, an outline's left and upper pixels are even, its right and lower ones odd: the edges between pixels.
        twice = np.kron(self.mask.astype(np.uint8), np.ones((2, 2), np.uint8))
        outlines = cv2.findContours(twice, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
        edges = [(outline[:, 0].astype(np.int64) + 1) // 2 + [self.left, self.top] for outline in outlines]
        return [edge.ravel().tolist() for edge in edges if len(edge) > 3]


@dataclass(frozen=True)
class Look:
    """What is set of all scenes. scale: from a cut-out's pixels to the scene's; occlusion: the most of a product that may be covered."""

    side: int
    scale: float
    occlusion: float


@dataclass(frozen=True)
class Light:
    """Of one scene: where shadows fall (pixels), how dark and soft they are, and the strength of the whole."""

    shift: tuple[float, float]
    dark: float
    soft: float
    gain: float


def compose(things: Sequence[tuple[int, Pixels]], background: Pixels, look: Look, rng: np.random.Generator) -> tuple[Pixels, list[Thing]]:
    """A scene (side, side, 3) of (category, RGBA cut-out) pairs on a background of that size, and what is seen of each, in their order."""
    side = look.side
    angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.004, 0.014) * side
    shift = float(far * np.cos(angle)), float(far * np.sin(angle))
    light = Light(shift, rng.uniform(0.2, SHADOW), rng.uniform(0.005, 0.015) * side, rng.uniform(0.85, 1.1))
    image = background.copy()
    owner = np.full((side, side), -1, np.int16)
    sizes: list[int] = []
    scale = look.scale * rng.uniform(0.85, 1.15)
    for number, (_, cut) in enumerate(things):
        turned, left, top = _placed(cut, scale, owner, sizes, look, rng)
        _cast(image, turned[..., 3], left, top, light)
        _paste(image, turned, left, top, rng.uniform(0.9, 1.1))
        solid = turned[..., 3] > 127
        owner[top : top + solid.shape[0], left : left + solid.shape[1]][solid] = number
        sizes.append(int(solid.sum()))
    visible = [_seen(category, owner, number) for number, (category, _) in enumerate(things)]
    return _finished(image, light, rng), visible


def _placed(cut: Pixels, scale: float, owner: Array, sizes: Sequence[int], look: Look, rng: np.random.Generator) -> tuple[Pixels, int, int]:
    """The cut-out, scaled and turned, and a place where it covers no other by more than the bound; smaller until there is one."""
    side, edge = look.side, round(EDGE * look.side)
    whole = np.array(sizes, np.int64)
    scale = min(scale * rng.uniform(0.93, 1.07), 0.6 * side / float(np.hypot(*cut.shape[:2])))
    angle = rng.uniform(0, 360)
    visible = np.bincount(owner[owner >= 0], minlength=len(whole)) if len(whole) else whole
    while True:
        turned = _turned(cut, scale, angle)
        solid = turned[..., 3] > 127
        height, width = solid.shape
        for _ in range(ATTEMPTS):
            left, top = (int(rng.integers(edge, max(edge + 1, side - edge - length))) for length in (width, height))
            under = owner[top : top + height, left : left + width][solid]
            lost = np.bincount(under[under >= 0], minlength=len(whole)) if len(whole) else whole
            if not ((visible - lost) < (1 - look.occlusion) * whole).any():
                return turned, left, top
        scale *= SMALLER


def _turned(cut: Pixels, scale: float, angle: float) -> Pixels:
    """The cut-out scaled and turned by degrees, without a rim."""
    height, width = (max(3, round(length * scale)) for length in cut.shape[:2])
    shrunk = cv2.resize(cut, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    reach_x = int(np.ceil(height * abs(turn[0, 1]) + width * abs(turn[0, 0]))) + 2
    reach_y = int(np.ceil(height * abs(turn[0, 0]) + width * abs(turn[0, 1]))) + 2
    turn[:, 2] += (reach_x - width) / 2, (reach_y - height) / 2
    colour = cv2.warpAffine(shrunk[..., :3], turn, (reach_x, reach_y), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpAffine(shrunk[..., 3], turn, (reach_x, reach_y), flags=cv2.INTER_LINEAR)
    solid = alpha > 127
    if not solid.any():
        solid[reach_y // 2, reach_x // 2] = True
        alpha = solid.astype(np.uint8) * 255
    rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return np.dstack([colour[part], alpha[part]])


def _cast(image: Pixels, alpha: Pixels, left: int, top: int, light: Light) -> None:
    """Darken the scene where the shadow of a product falls."""
    reach = round(3 * light.soft) + 1
    shape = cv2.GaussianBlur(np.pad(alpha, reach), (0, 0), light.soft)
    x, y = left - reach + round(light.shift[0]), top - reach + round(light.shift[1])
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + shape.shape[1], image.shape[1]), min(y + shape.shape[0], image.shape[0])
    if x1 > x0 and y1 > y0:
        share = 1 - light.dark * shape[y0 - y : y1 - y, x0 - x : x1 - x, None].astype(np.float32) / 255
        image[y0:y1, x0:x1] = (image[y0:y1, x0:x1] * share).astype(np.uint8)


def _paste(image: Pixels, turned: Pixels, left: int, top: int, gain: float) -> None:
    part = image[top : top + turned.shape[0], left : left + turned.shape[1]]
    alpha: Floats = np.asarray(turned[..., 3:], np.float32) / np.float32(255)
    lit: Floats = np.minimum(turned[..., :3].astype(np.float32) * np.float32(gain), 255)
    part[:] = np.asarray(lit * alpha + part * (1 - alpha), np.uint8)


def _seen(category: int, owner: Array, number: int) -> Thing:
    mask = owner == number
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return Thing(category, mask[part].copy(), int(columns[0]), int(rows[0]))


def _finished(image: Pixels, light: Light, rng: np.random.Generator) -> Pixels:
    """The camera: strength and tint of the light, now and then a little out of focus."""
    tint = light.gain * rng.uniform(0.97, 1.03, 3)
    table = np.clip(np.arange(256)[:, None] * tint, 0, 255).astype(np.uint8)
    lit: Pixels = cv2.LUT(image, table.reshape(1, 256, 3))
    sigma = float(rng.choice([0.0, rng.uniform(0.4, 1.0)]))
    return np.asarray(cv2.GaussianBlur(lit, (0, 0), sigma), np.uint8) if sigma else lit
