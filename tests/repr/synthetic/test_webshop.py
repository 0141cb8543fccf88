"""Web shop images: the product large and in the middle, mostly on white, with the words that are said to be there."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from repr.synthetic.identity import skus
from repr.synthetic.webshop import PROMOTIONS, draw_web_image

PRODUCTS = [skus(0)[category] for category in range(1, 201, 13)]


def drawn(number: int, side: int = 220, seed: int = 0) -> tuple[Image.Image, str]:
    return draw_web_image(PRODUCTS[number], side, np.random.default_rng([seed, number]))


@pytest.fixture(scope="module")
def many() -> list[tuple[Image.Image, str]]:
    return [drawn(number, seed=seed) for number in range(len(PRODUCTS)) for seed in range(2)]


@pytest.mark.parametrize("side", [75, 110, 220])
def test_images_are_squares_of_that_side(side: int) -> None:
    image, words = drawn(0, side)
    assert image.size == (side, side) and image.mode == "RGB" and words


def test_the_generator_decides() -> None:
    (first, words), (same, same_words), (other, _) = drawn(2), drawn(2), drawn(2, seed=1)
    assert first.tobytes() == same.tobytes() != other.tobytes() and words == same_words


def test_the_product_is_large_and_in_the_middle(many: list[tuple[Image.Image, str]]) -> None:
    coloured = np.mean([np.asarray(image).min(axis=2) < 235 for image, _ in many], axis=0)
    middle, border = coloured[70:150, 70:150].mean(), coloured[:, :15].mean()
    assert middle > 0.75 and border < 0.45


def test_most_stand_on_white(many: list[tuple[Image.Image, str]]) -> None:
    white = [(np.asarray(image)[30:60, :4] > 250).all() for image, _ in many]
    assert 0.45 < np.mean(white) < 0.95


def test_the_words_are_the_items_the_brands_and_promotions(many: list[tuple[Image.Image, str]]) -> None:
    branded = 0
    for i, (_, words) in enumerate(many):
        product = PRODUCTS[i // 2]
        start = product.brand.name + product.item if words.startswith(product.brand.name) else product.item
        branded += start != product.item
        rest = words.removeprefix(start)
        assert words.startswith(start)
        for text in (product.flavour + product.item, *PROMOTIONS, *(promotion[:2] for promotion in PROMOTIONS)):
            rest = rest.replace(text, "")
        assert not rest, f"{words} says what nobody wrote"
    assert 0.6 < branded / len(many) < 1
    assert any(promotion in words for _, words in many for promotion in PROMOTIONS)


def test_brands_look_otherwise() -> None:
    """The mean colour of two brands' images differs more than noise."""
    means = np.array([np.asarray(drawn(number)[0]).reshape(-1, 3).mean(axis=0) for number in range(6)])
    assert np.linalg.norm(means[:, None] - means[None], axis=2)[np.triu_indices(6, 1)].min() > 1
