"""Writing without a font: every character gets strokes of its own, so that packages carry text that looks Chinese.

The strokes follow from the character's code alone. The same word looks the same on every package, as in a shop.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import ImageDraw

Stroke = tuple[tuple[float, float], ...]

# Digits and a few Latin letters as polylines in a box of width 1 and height 2 (y down).
_PLAIN: dict[str, tuple[Stroke, ...]] = {
    "0": (((0, 0), (1, 0), (1, 2), (0, 2), (0, 0)),),
    "1": (((0.2, 0.4), (0.6, 0), (0.6, 2)),),
    "2": (((0, 0), (1, 0), (1, 1), (0, 1), (0, 2), (1, 2)),),
    "3": (((0, 0), (1, 0), (1, 2), (0, 2)), ((0.2, 1), (1, 1))),
    "4": (((0, 0), (0, 1), (1, 1)), ((0.8, 0), (0.8, 2))),
    "5": (((1, 0), (0, 0), (0, 1), (1, 1), (1, 2), (0, 2)),),
    "6": (((1, 0), (0, 0), (0, 2), (1, 2), (1, 1), (0, 1)),),
    "7": (((0, 0), (1, 0), (0.4, 2)),),
    "8": (((0, 0), (1, 0), (1, 2), (0, 2), (0, 0)), ((0, 1), (1, 1))),
    "9": (((1, 1), (0, 1), (0, 0), (1, 0), (1, 2), (0, 2)),),
    "g": (((1, 1.6), (0, 1.6), (0, 0.7), (1, 0.7), (1, 2.4), (0, 2.4)),),
    "m": (((0, 2), (0, 0.8), (1, 0.8), (1, 2)), ((0.5, 0.8), (0.5, 2))),
    "l": (((0.5, 0), (0.5, 2)),),
    "¥": (((0, 0), (0.5, 0.9), (1, 0)), ((0.5, 0.9), (0.5, 2)), ((0.1, 1.1), (0.9, 1.1)), ((0.1, 1.5), (0.9, 1.5))),
    ".": (((0.4, 1.9), (0.6, 2)),),
}


@cache
def glyph(character: str) -> tuple[Stroke, ...]:
    """The strokes of a character in the unit square (x right, y down)."""
    rng = np.random.default_rng([7, ord(character)])
    kind = rng.integers(4)
    if kind == 0:  # left radical and right body
        return (*_part(rng, 0.05, 0.08, 0.36, 0.92, small=True), *_part(rng, 0.44, 0.08, 0.95, 0.92))
    if kind == 1:  # crown and body
        return (*_part(rng, 0.10, 0.05, 0.90, 0.34, small=True), *_part(rng, 0.06, 0.40, 0.94, 0.95))
    if kind == 2:  # enclosure
        frame: Stroke = ((0.1, 0.95), (0.1, 0.08), (0.92, 0.08), (0.92, 0.95))
        return (frame, *_part(rng, 0.24, 0.24, 0.78, 0.88))
    return _part(rng, 0.05, 0.05, 0.95, 0.95)


def _part(rng: np.random.Generator, left: float, top: float, right: float, bottom: float, small: bool = False) -> tuple[Stroke, ...]:
    width, height = right - left, bottom - top
    middle = left + width * rng.uniform(0.35, 0.65)
    strokes: list[Stroke] = [
        ((left, top + height * y), (right, top + height * y))
        for y in np.sort(rng.choice([0.05, 0.3, 0.55, 0.8], int(rng.integers(1, 4)), False))
    ]
    if rng.random() < 0.75:
        strokes.append(((middle, top), (middle, bottom)))
    if rng.random() < 0.55 and not small:
        strokes.append(((middle, top + height * 0.45), (left, bottom)))
        strokes.append(((middle, top + height * 0.45), (right, bottom)))
    if rng.random() < 0.35:
        y = top + height * rng.uniform(0.3, 0.6)
        strokes.append(
            (
                (left + width * 0.2, y),
                (right - width * 0.2, y),
                (right - width * 0.2, bottom),
                (left + width * 0.2, bottom),
                (left + width * 0.2, y),
            )
        )
    if small and rng.random() < 0.5:
        strokes.append(((left + width * 0.5, top), (left, top + height * 0.4)))
    return tuple(strokes)


def write(draw: ImageDraw.ImageDraw, text: str, box: tuple[float, float, float, float], fill: object, weight: float = 0.11) -> None:
    """Write `text` into a box (left, top, right, bottom in pixels): in a row when it is wide, in a column when it is tall."""
    left, top, right, bottom = box
    if not text or right - left < 2 or bottom - top < 2:
        return
    upright = bottom - top > right - left
    step = min((bottom - top) / (len(text) if upright else 1), (right - left) / (1 if upright else len(text)))
    x = left + ((right - left) - (step if upright else step * len(text))) / 2
    y = top + ((bottom - top) - (step * len(text) if upright else step)) / 2
    side = step * 0.86
    for character in text:
        strokes = _PLAIN.get(character)
        width, height = (side * 0.5, side * 0.45) if strokes else (side, side)
        inset = side * 0.2 if strokes else 0.0
        for stroke in strokes or glyph(character):
            points = [(x + inset + px * width, y + py * height) for px, py in stroke]
            draw.line(points, fill=fill, width=max(1, round(side * weight)), joint="curve")  # type: ignore[arg-type]
        x, y = (x, y + step) if upright else (x + step, y)


def small_print(
    draw: ImageDraw.ImageDraw, box: tuple[float, float, float, float], fill: object, rng: np.random.Generator, line: float
) -> None:
    """Lines of text too small to read, `line` pixels apart."""
    left, top, right, bottom = box
    y = top
    while y < bottom:
        x, end = left, left + (right - left) * rng.uniform(0.6, 1.0)
        while x < end:
            run = line * rng.uniform(0.8, 3.0)
            draw.line([(x, y), (min(x + run, end), y)], fill=fill, width=max(1, round(line * 0.42)))  # type: ignore[arg-type]
            x += run + line * 0.35
        y += line
