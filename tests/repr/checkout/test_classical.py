"""Boxes without training, on counters whose products are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from repr.checkout.classical import propose
from repr.images.boxes import Box


def counter(side: int = 400) -> Image.Image:
    """Grey, lighter in a corner, with a little noise."""
    y, x = np.mgrid[0:side, 0:side] / side
    grey = 190 + 25 * x - 15 * y * y + np.random.default_rng(0).normal(0, 1.5, (side, side))
    return Image.fromarray(np.clip(np.dstack([grey, grey, grey * 0.98]), 0, 255).astype(np.uint8))


def near(box: Box, true: tuple[float, float, float, float]) -> bool:
    return all(abs(a - b) <= 8 for a, b in zip(box, true, strict=True))


def test_an_empty_counter_has_none() -> None:
    assert propose(counter()) == []


def test_products_are_boxed_and_parted_where_they_touch() -> None:
    image = counter()
    draw = ImageDraw.Draw(image)
    boxes = [(40, 50, 70, 110), (200, 60, 120, 40), (100, 260, 80, 80), (178, 262, 80, 80)]
    for (x, y, w, h), colour in zip(boxes, [(180, 30, 30), (30, 60, 170), (40, 130, 50), (210, 120, 20)], strict=True):
        (draw.rectangle if y < 200 else draw.ellipse)((x, y, x + w, y + h), fill=colour)
    proposals = propose(image)
    assert len(proposals) == 4, "two discs that touch are two products"
    assert all(sum(near(one.box, true) for one in proposals) == 1 for true in boxes)
    assert all(0.8 < one.score <= 1 for one in proposals)


def test_a_white_product_has_edges() -> None:
    image = counter()
    draw = ImageDraw.Draw(image)
    draw.rectangle((120, 120, 220, 190), fill=(235, 235, 235), outline=(120, 120, 120), width=3)
    assert any(near(one.box, (120, 120, 100, 70)) for one in propose(image))


@pytest.mark.parametrize("size", [(1, 1), (9, 3), (2000, 40)])
def test_odd_sizes_are_no_reason_to_fail(size: tuple[int, int]) -> None:
    assert propose(Image.new("RGB", size, "white")) == []


def test_the_real_counter_is_empty(shared: Path) -> None:
    for file in sorted((shared / "rpc_exemplars" / "background").iterdir()):
        with Image.open(file) as opened:
            assert propose(opened.convert("RGB")) == []
