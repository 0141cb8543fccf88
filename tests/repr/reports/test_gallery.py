"""Rows of images: sizes, dotted frames, and what cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from repr.reports.gallery import Cell, gallery
from repr.reports.sheet import GAP, GOOD


def flat(value: int) -> Image.Image:
    return Image.new("RGB", (40, 40), (value, value, value))


def test_a_dotted_frame_is_around_its_own_image_alone() -> None:
    plain = np.asarray(gallery([("tea", [Cell(flat(10)), Cell(flat(20))])], thumb=40))
    dotted = np.asarray(gallery([("tea", [Cell(flat(10)), Cell(flat(20), dotted=True)])], thumb=40))
    assert not (plain == GOOD).all(axis=2).any() and plain.shape == dotted.shape
    _, columns = np.nonzero((dotted == GOOD).all(axis=2))
    assert columns.min() >= 2 * GAP + 40 and columns.max() < 2 * GAP + 80


def test_rows_of_different_lengths_and_text_below() -> None:
    one = gallery([("a", [Cell(flat(1))])], thumb=40)
    two = gallery([("a", [Cell(flat(1))]), ("b", [Cell(flat(1)), Cell(flat(2))])], thumb=40)
    assert two.width == one.width + 40 + GAP and two.height == 2 * one.height - GAP
    assert gallery([("a", [Cell(flat(1), "words")])], thumb=40, lines=2).height > one.height


def test_an_image_that_cannot_be_read_leaves_a_grey_square(tmp_path: Path) -> None:
    pixels = np.asarray(gallery([("", [Cell(tmp_path / "none.jpg")])], thumb=40))
    assert (pixels == (235, 238, 241)).all(axis=2).sum() > 500
