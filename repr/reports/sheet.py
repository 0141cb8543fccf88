"""Contact sheets: queries on the left, what was found for them on the right, drawn with Pillow."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont, ImageOps

from repr.images.reader import ImageLike, Unreadable, read_image

# Fonts with Chinese characters as the usual systems name them; Pillow's own font, the fallback, has Latin alone.
CHINESE_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansSC-Regular.otf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "SourceHanSansSC-Regular.otf",
    "PingFang.ttc",
    "msyh.ttc",
    "simsun.ttc",
)
GROUND, INK, SOFT = (255, 255, 255), (28, 33, 40), (200, 206, 212)
GOOD, BAD = (0, 158, 115), (213, 94, 0)  # Okabe and Ito's green and vermillion: told apart by colour-blind readers too
GAP, LINES = 8, 3


@dataclass(frozen=True)
class SheetRow:
    """One query and its matches, best first: (image, text below it, right / wrong / None where nobody knows)."""

    query: ImageLike
    label: str
    matches: Sequence[tuple[ImageLike, str, bool | None]]


def contact_sheet(rows: Sequence[SheetRow], thumb: int = 96) -> Image.Image:
    """One image with a line a query: the query framed in grey, then its matches, green when right, orange dashes when wrong.

    thumb: side of a small image in pixels. An image that cannot be read leaves an empty frame. Returns an RGB image.
    """
    assert rows, "a contact sheet needs a row"
    font = typeface(12)
    line = 15
    cell_h = thumb + LINES * line + GAP
    columns = 1 + max(len(row.matches) for row in rows)
    width = columns * (thumb + GAP) + 3 * GAP
    sheet = Image.new("RGB", (width, len(rows) * (cell_h + GAP) + GAP), GROUND)
    draw = ImageDraw.Draw(sheet)
    for r, row in enumerate(rows):
        top = GAP + r * (cell_h + GAP)
        cells = [(row.query, row.label, None), *row.matches]
        for c, (image, text, good) in enumerate(cells):
            left = GAP + c * (thumb + GAP) + (GAP if c else 0)
            small = thumbnail(image, thumb)
            sheet.paste(small, (left + (thumb - small.width) // 2, top + (thumb - small.height) // 2))
            _frame(draw, (left, top, left + thumb - 1, top + thumb - 1), good, query=c == 0)
            for n, words in enumerate(wrapped(readable(text, font), font, thumb, LINES)):
                draw.text((left, top + thumb + 2 + n * line), words, INK, font)
        if r:
            draw.line((GAP, top - GAP // 2, width - GAP, top - GAP // 2), SOFT)
    return sheet


def thumbnail(image: ImageLike, side: int) -> Image.Image:
    """An RGB copy that fits into a square of `side` pixels; a grey square with a cross when the image cannot be read."""
    try:
        small = read_image(image, short_side=side)
    except Unreadable:
        small = Image.new("RGB", (side, side), (235, 238, 241))
        draw = ImageDraw.Draw(small)
        draw.line([(0, 0), (side, side)], SOFT, 2)
        draw.line([(0, side), (side, 0)], SOFT, 2)
    return ImageOps.contain(small, (side, side), Image.Resampling.LANCZOS)


@functools.cache
def typeface(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The first of CHINESE_FONTS that this machine has, in pixels; Pillow's own where it has none."""
    for name in CHINESE_FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def readable(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The text with each run of characters that the font lacks shortened to one "…", so that no row of boxes is drawn."""
    drawable = ""
    for character in text:
        if _has(font, character):
            drawable += character
        elif not drawable.endswith("…"):
            drawable += "…"
    return drawable


def _has(font: ImageFont.FreeTypeFont | ImageFont.ImageFont, character: str) -> bool:
    """Whether the font has a glyph of its own for it: one that differs from that of a code point that no font has."""
    if character.isascii() or not isinstance(font, ImageFont.FreeTypeFont):
        return character.isascii()
    return bytes(font.getmask(character)) != bytes(font.getmask("\U0010fffe"))


def wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int, lines: int) -> list[str]:
    """The text in at most `lines` lines of `width` pixels, broken between characters; the last ends in … when cut."""
    wrapped_lines: list[str] = []
    for part in text.splitlines():
        while part and len(wrapped_lines) < lines:
            n = len(part)
            while n > 1 and font.getlength(part[:n]) > width:
                n -= 1
            if n < len(part) and " " in part[1:n]:
                n = part.rindex(" ", 1, n) + 1
            wrapped_lines.append(part[:n].rstrip())
            part = part[n:].lstrip()
        if part:
            wrapped_lines[-1] = wrapped_lines[-1][:-1] + "…"
            break
    return wrapped_lines


def _frame(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], good: bool | None, *, query: bool) -> None:
    left, top, right, bottom = box
    if good is None:
        if query:
            draw.rectangle(box, outline=SOFT, width=3)
    elif good:
        draw.rectangle(box, outline=GOOD, width=3)
    else:
        step = 10
        for x in range(left, right, 2 * step):
            for y in (top + 1, bottom - 1):
                draw.line((x, y, min(x + step, right), y), BAD, 3)
        for y in range(top, bottom, 2 * step):
            for x in (left + 1, right - 1):
                draw.line((x, y, x, min(y + step, bottom)), BAD, 3)
