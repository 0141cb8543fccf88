"""Checkout scenes: what their level allows, all products seen, boxes that hold their pixels."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from repr.synthetic.identity import Product, skus
from repr.synthetic.scenes import LEVELS, RPC, Habits, Placed, draw_scene, shopping_lists

SIDE = 300
CATEGORIES = list(range(1, 201))
Basket = list[tuple[int, Product]]


def drawn(basket: Basket, level: str = "easy", seed: int = 0, side: int = SIDE) -> tuple[Image.Image, list[Placed]]:
    return draw_scene(basket, level, side, np.random.default_rng(seed))


def basket(*categories: int) -> Basket:
    return [(category, skus(0)[category]) for category in categories]


@given(st.lists(st.sampled_from(sorted(LEVELS)), min_size=1, max_size=12), st.integers(0, 99))
def test_lists_keep_to_their_level(levels: list[str], seed: int) -> None:
    lists = shopping_lists(CATEGORIES, levels, np.random.default_rng(seed))
    assert len(lists) == len(levels)
    for level, one in zip(levels, lists, strict=True):
        (few, many), (least, most) = LEVELS[level]
        assert few <= len(set(one)) <= many and least <= len(one) <= most


def test_all_products_are_bought_about_equally_often() -> None:
    lists = shopping_lists(CATEGORIES, ["easy", "medium", "hard"] * 40, np.random.default_rng(0))
    pieces = Counter(category for one in lists for category in one)
    assert set(pieces) == set(CATEGORIES)
    assert max(pieces.values()) - min(pieces.values()) <= 4 and np.mean(list(pieces.values())) > 5
    assert any(count > 1 for one in lists for count in Counter(one).values()), "several of one product"


def test_lists_follow_the_generator() -> None:
    first, same, other = (shopping_lists(CATEGORIES, ["hard"] * 3, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert first == same != other


@pytest.mark.parametrize(("level", "n"), [("easy", 5), ("medium", 12), ("hard", 18)])
def test_every_product_is_there_and_can_be_seen(level: str, n: int) -> None:
    categories = [1 + 11 * i % 200 for i in range(n // 2)] * 2
    image, placed = drawn(basket(*categories), level)
    assert image.size == (SIDE, SIDE) and image.mode == "RGB"
    assert Counter(one.category for one in placed) == Counter(categories)
    for one in placed:
        x, y, width, height = one.box
        assert x >= 0 and y >= 0 and x + width <= SIDE and y + height <= SIDE and width * height >= 60
        assert x <= one.point[0] < x + width and y <= one.point[1] < y + height


@pytest.mark.parametrize("seed", range(3))
def test_boxes_and_points_are_of_their_products_pixels(seed: int) -> None:
    """With one product printed otherwise, the image changes within its box, up to the box's sides, and at its point."""
    here = basket(1, 60, 75, 108, 174)
    plain, placed = drawn(here, seed=seed)
    for number, (category, product) in enumerate(here):
        other = next(p for p in skus(0).values() if p.brand.base != product.brand.base and p.flavour != product.flavour)
        changed_basket = [*here]
        changed_basket[number] = (category, replace(product, brand=other.brand, flavour=other.flavour))
        recoloured, same = drawn(changed_basket, seed=seed)
        assert same == placed
        changed = np.abs(np.asarray(plain).astype(int) - np.asarray(recoloured)).max(axis=2) > 10
        rows, columns = np.nonzero(changed)
        x, y, width, height = next(one.box for one in placed if one.category == category)
        inside = (columns >= x - 2) & (columns < x + width + 2) & (rows >= y - 2) & (rows < y + height + 2)
        assert inside.all(), "and nothing beyond"
        assert np.ptp(columns) > 0.6 * width and np.ptp(rows) > 0.6 * height


def test_a_scene_follows_the_generator() -> None:
    (first, placed), (same, again), (other, _) = (drawn(basket(1, 60, 108), seed=seed) for seed in (0, 0, 1))
    assert first.tobytes() == same.tobytes() != other.tobytes() and placed == again


def test_the_camera_stands_back_from_a_full_counter() -> None:
    def _width(n: int) -> float:
        """The mean side of a tissue box among n of them."""
        _, placed = drawn(basket(*[178] * n), "hard")
        return float(np.mean([np.sqrt(one.box[2] * one.box[3]) for one in placed]))

    assert _width(18) < 0.85 * _width(3)


def test_the_counter_is_light_and_darker_in_the_corners() -> None:
    image, _ = drawn(basket(141, 150, 198))
    pixels = np.asarray(image).astype(float).mean(axis=2)
    assert np.median(pixels) > 170
    corners = np.mean([pixels[:15, :15], pixels[:15, -15:], pixels[-15:, :15], pixels[-15:, -15:]])
    assert corners < np.median(pixels) - 15


def test_easy_scenes_hide_less_than_hard_ones() -> None:
    """The share of the baskets' boxes that lies in another's box."""

    def _overlap(level: str) -> float:
        hidden = []
        for seed in range(3):
            _, placed = drawn(basket(*[178, 54, 108, 45] * 3), level, seed)
            for i, a in enumerate(placed):
                for b in placed[i + 1 :]:
                    width = min(a.box[0] + a.box[2], b.box[0] + b.box[2]) - max(a.box[0], b.box[0])
                    height = min(a.box[1] + a.box[3], b.box[1] + b.box[3]) - max(a.box[1], b.box[1])
                    hidden.append(max(width, 0) * max(height, 0))
        return float(np.sum(hidden))

    assert _overlap("easy") < _overlap("hard")


def test_under_other_lamps_the_same_scene_has_other_colours() -> None:
    """Nothing but the light differs; the more lamps vary, the further the colours of images lie apart."""

    def _tones(lamps: float) -> np.ndarray[Any, Any]:
        habits = replace(RPC, lamps=lamps)
        scenes = [draw_scene(basket(1), "easy", 200, np.random.default_rng(seed), habits)[0] for seed in range(8)]
        return np.array([np.asarray(image, float).mean(axis=(0, 1)) for image in scenes])

    few, many = _tones(0.2), _tones(2.0)
    assert (many.std(axis=0) > 2 * few.std(axis=0)).all()
    first, second = (draw_scene(basket(1), "easy", 200, np.random.default_rng(0), replace(RPC, lamps=lamps))[1] for lamps in (0.2, 2.0))
    assert first == second, "products lie where they lay"


def test_products_that_nobody_aligns_lie_any_way_round() -> None:
    """A pen is long: its box is as wide as it is long where it lies across, and narrow where it lies towards the clerk."""
    pen = next(category for category, product in skus(0).items() if product.form_name == "pen")

    def _shapes(aligned: float) -> list[float]:
        boxes = [draw_scene(basket(pen), "easy", 200, np.random.default_rng(seed), Habits(0.8, aligned))[1][0].box for seed in range(24)]
        return [width / height for _, _, width, height in boxes]

    assert max(_shapes(200.0)) < 0.6
    assert min(_shapes(0.0)) < 0.6 and max(_shapes(0.0)) > 1.7
