"""A cloud of words: sizes by count, no word over another, and what it cannot draw is told."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from repr.reports import sheet
from repr.reports.cloud import HEIGHT, WIDTH, cloud, drawable
from repr.reports.figures import PALETTE


def of_colour(image: Image.Image, colour: str) -> np.ndarray:
    rgb = tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return np.argwhere((np.asarray(image) == rgb).all(axis=2))


def test_the_most_frequent_word_is_the_largest_and_stands_in_the_middle() -> None:
    image = cloud({"tea": 100, "wine": 25, "rice": 4})
    assert image.size == (WIDTH, HEIGHT)
    heights = [np.ptp(of_colour(image, colour)[:, 0]) for colour in PALETTE[:3]]
    assert heights[0] > heights[1] > heights[2]
    middle = of_colour(image, PALETTE[0]).mean(axis=0)
    assert abs(middle[0] - HEIGHT / 2) < 40 and abs(middle[1] - WIDTH / 2) < 60


def test_words_do_not_lie_over_each_other() -> None:
    boxes = []
    image = cloud({"tea": 9, "wine": 8, "rice": 7, "milk": 6, "oil": 5, "cake": 4})
    for colour in PALETTE[:6]:
        points = of_colour(image, colour)
        boxes.append((*points.min(axis=0), *points.max(axis=0)))
    for n, (top, left, bottom, right) in enumerate(boxes):
        for a, b, c, d in boxes[n + 1 :]:
            assert bottom < a or c < top or right < b or d < left


def test_what_finds_no_place_is_left_out() -> None:
    many = {f"word{n}word": 1000 for n in range(200)}
    assert cloud(many).size == (WIDTH, HEIGHT)
    assert (np.asarray(cloud({"x" * 400: 1})) == 255).all()


def test_letters_that_no_font_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "CHINESE_FONTS", ())
    sheet.typeface.cache_clear()
    try:
        assert drawable(["tea"]) and not drawable(["tea", "绿茶"])
    finally:
        sheet.typeface.cache_clear()
