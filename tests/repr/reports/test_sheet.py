"""Contact sheets: sizes, frames, letters that the font lacks, images that cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from repr.reports import sheet
from repr.reports.sheet import BAD, GOOD, SheetRow, contact_sheet, readable, thumbnail


def flat(value: int, size: tuple[int, int] = (40, 40)) -> Image.Image:
    return Image.new("RGB", size, (value, value, value))


def test_layout_and_frames() -> None:
    rows = [SheetRow(flat(10), "query", [(flat(20), "a", True), (flat(30), "b", False), (flat(40), "c", None)])] * 2
    made = contact_sheet(rows, thumb=40)
    pixels = np.asarray(made)
    assert made.mode == "RGB"
    one = contact_sheet(rows[:1], thumb=40)
    assert made.width == one.width and made.height > 1.9 * one.height - 2 * sheet.GAP
    assert (pixels == GOOD).all(axis=2).any() and (pixels == BAD).all(axis=2).any()
    assert not (np.asarray(contact_sheet([SheetRow(flat(1), "q", [(flat(2), "", None)])])) == GOOD).all(axis=2).any()


def test_a_row_with_fewer_matches_is_as_wide() -> None:
    many = SheetRow(flat(1), "q", [(flat(2), "x", None)] * 3)
    assert contact_sheet([many]).width == contact_sheet([many, SheetRow(flat(1), "q", [])]).width


@pytest.mark.parametrize("size", [(400, 100), (100, 400), (5, 5)])
def test_thumbnails_fit_and_keep_their_shape(size: tuple[int, int]) -> None:
    small = thumbnail(flat(7, size), 50)
    assert max(small.size) == 50
    assert small.width / small.height == pytest.approx(size[0] / size[1], rel=0.05)


def test_a_broken_file_is_drawn_as_a_cross(tmp_path: Path) -> None:
    broken = tmp_path / "x.jpg"
    broken.write_bytes(b"not an image")
    assert thumbnail(broken, 32).size == (32, 32)
    assert thumbnail(tmp_path / "missing.jpg", 32).size == (32, 32)


def test_transparency_lies_on_white() -> None:
    assert thumbnail(Image.new("RGBA", (10, 10), (0, 0, 0, 0)), 10).getpixel((5, 5)) == (255, 255, 255)


def test_letters_that_the_font_lacks_become_one_ellipsis() -> None:
    font = ImageFont.load_default(12)
    assert readable("12 洗发水 x", font) == "12 … x"
    assert readable("plain", font) == "plain"


def test_long_text_is_cut_to_its_lines() -> None:
    font = ImageFont.load_default(12)
    found = sheet.wrapped("one two three four five six seven eight nine ten", font, 60, 3)
    assert len(found) == 3 and found[-1].endswith("…")
    assert all(font.getlength(line) <= 75 for line in found)
    assert sheet.wrapped("short", font, 60, 3) == ["short"]
