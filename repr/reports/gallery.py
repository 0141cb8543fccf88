"""Rows of images with a heading each, drawn with Pillow: what a class looks like, what was read on images, what looks alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from repr.images.reader import ImageLike
from repr.reports.sheet import GAP, GOOD, GROUND, INK, readable, thumbnail, typeface, wrapped

LINE, FONT = 15, 12  # pixels a line of text, and of its letters


@dataclass(frozen=True)
class Cell:
    """An image, the text below it ("" for none), and whether it has a dotted frame."""

    image: ImageLike
    text: str = ""
    dotted: bool = False


def gallery(rows: Sequence[tuple[str, Sequence[Cell]]], *, thumb: int = 96, lines: int = 0) -> Image.Image:
    """One RGB image: for each row its heading, then its cells side by side. lines: of text below each image.

    thumb: side of an image in pixels; one that cannot be read leaves a grey square. Letters that no font of this machine has are "…".
    """
    assert rows and all(cells for _, cells in rows), "a gallery needs images"
    font = typeface(FONT)
    width = max(len(cells) for _, cells in rows) * (thumb + GAP) + GAP
    height = LINE + 2 + thumb + lines * LINE + 2 * GAP
    sheet = Image.new("RGB", (width, len(rows) * height + GAP), GROUND)
    draw = ImageDraw.Draw(sheet)
    for r, (heading, cells) in enumerate(rows):
        top = GAP + r * height
        draw.text((GAP, top), next(iter(wrapped(readable(heading, font), font, width - 2 * GAP, 1)), ""), INK, font)
        for c, cell in enumerate(cells):
            left, upper = GAP + c * (thumb + GAP), top + LINE + 4
            small = thumbnail(cell.image, thumb)
            sheet.paste(small, (left + (thumb - small.width) // 2, upper + (thumb - small.height) // 2))
            if cell.dotted:
                _dotted(draw, (left, upper, left + thumb - 1, upper + thumb - 1))
            for n, words in enumerate(wrapped(readable(cell.text, font), font, thumb, lines) if lines else ()):
                draw.text((left, upper + thumb + 2 + n * LINE), words, INK, font)
    return sheet


def _dotted(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    for x in range(left, right, 6):
        draw.rectangle((x, top, x + 2, top + 2), GOOD)
        draw.rectangle((x, bottom - 2, x + 2, bottom), GOOD)
    for y in range(top, bottom, 6):
        draw.rectangle((left, y, left + 2, y + 2), GOOD)
        draw.rectangle((right - 2, y, right, y + 2), GOOD)
