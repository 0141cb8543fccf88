"""Drawn characters: the same everywhere, told apart, and within the box they are written into."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw

from repr.arrays import Array
from repr.synthetic.text import glyph, small_print, write
from repr.synthetic.vocabulary import FLAVOURS, SUPERCATEGORIES

CHARACTERS = sorted({c for s in SUPERCATEGORIES for word, _ in s.items for c in word} | {c for word in FLAVOURS for c in word})
BOX = tuple[float, float, float, float]


def ink(text: str, box: BOX, weight: float = 0.11) -> Array:
    """Where something was written, (200, 200) bool."""
    image = Image.new("L", (200, 200), 0)
    write(ImageDraw.Draw(image), text, box, 255, weight)
    return np.asarray(image) > 0


def extent(mask: Array) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


@pytest.mark.parametrize("character", CHARACTERS)
def test_strokes_lie_in_the_unit_square(character: str) -> None:
    strokes = glyph(character)
    assert strokes and all(len(stroke) >= 2 for stroke in strokes)
    points = np.array([point for stroke in strokes for point in stroke])
    assert points.min() >= 0 and points.max() <= 1


def test_characters_are_told_apart() -> None:
    drawn = {character: ink(character, (20, 20, 180, 180)) for character in CHARACTERS[:40]}
    for a, b in itertools.combinations(drawn, 2):
        assert (drawn[a] != drawn[b]).mean() > 0.001, f"{a} looks like {b}"


def test_a_character_is_the_same_in_another_process() -> None:
    code = "from repr.synthetic.text import glyph; print(glyph('茶'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(glyph("茶"))


@pytest.mark.parametrize("text", ["茶", "草莓味", "500g", "¥19.9", "120ml", "1234567890"])
@pytest.mark.parametrize("box", [(20, 60, 180, 110), (80, 10, 120, 190), (40, 40, 160, 160)])
def test_ink_stays_in_its_box(text: str, box: BOX) -> None:
    left, top, right, bottom = extent(ink(text, box))
    margin = 6  # half a stroke, and the tail of the g
    assert left >= box[0] - margin and top >= box[1] - margin and right <= box[2] + margin and bottom <= box[3] + margin


def test_a_wide_box_is_written_in_a_row_and_a_tall_one_in_a_column() -> None:
    left, top, right, bottom = extent(ink("草莓茶饮", (10, 80, 190, 120)))
    assert right - left > 2.5 * (bottom - top)
    left, top, right, bottom = extent(ink("草莓茶饮", (80, 10, 120, 190)))
    assert bottom - top > 2.5 * (right - left)


def test_characters_stand_one_after_the_other() -> None:
    """The first of a word in a row is the character alone, as large and at the same place."""
    both = ink("茶味", (20, 80, 100, 120))
    assert (both[:, :60] == ink("茶", (20, 80, 60, 120))[:, :60]).all()
    assert both[:, 62:].any()


def test_more_weight_is_more_ink() -> None:
    assert ink("茶", (20, 20, 180, 180), 0.2).sum() > 1.5 * ink("茶", (20, 20, 180, 180), 0.08).sum()


@pytest.mark.parametrize(("text", "box"), [("", (20, 20, 180, 180)), ("茶", (20, 20, 21, 180)), ("茶", (20, 20, 180, 21))])
def test_nothing_to_write_or_no_room_leaves_nothing(text: str, box: BOX) -> None:
    assert not ink(text, box).any()


def test_small_print_is_lines_in_its_box_by_the_seed() -> None:
    def _printed(seed: int) -> Array:
        image = Image.new("L", (200, 200), 0)
        small_print(ImageDraw.Draw(image), (30, 40, 170, 140), 255, np.random.default_rng(seed), 10)
        return np.asarray(image) > 0

    mask = _printed(0)
    left, top, right, bottom = extent(mask)
    assert left >= 28 and right <= 172 and top >= 36 and bottom <= 144
    lines = np.flatnonzero(np.diff(mask.any(axis=1).astype(int)) == 1)
    assert len(lines) == 10 and set(np.diff(lines)) == {10}
    assert (mask == _printed(0)).all() and (mask != _printed(1)).any()
