from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repr.errors import UserError
from repr.lookup.gallery import Gallery

STEPS = st.lists(st.tuples(st.sampled_from(["add", "remove"]), st.lists(st.sampled_from("abcd"), max_size=4)), max_size=8)


@given(STEPS)
def test_it_holds_what_was_added_and_not_removed(steps: list[tuple[str, list[str]]]) -> None:
    """Against a plain list of (feature, product, id)."""
    gallery, plain, next_id = Gallery(np.zeros((0, 2)), [], np.zeros(0)), list[tuple[float, str, int]](), 0
    for what, products in steps:
        present = {product for _, product, _ in plain}
        if what == "add":
            ids = np.arange(next_id, next_id + len(products))
            gallery.add(np.stack([ids, ids + 1], axis=1).reshape(-1, 2), products, ids)
            plain += [(float(i), product, int(i)) for i, product in zip(ids, products, strict=True)]
            next_id += len(products)
        elif set(products) <= present:
            gallery.remove(products)
            plain = [row for row in plain if row[1] not in products]
    x, y = gallery.taught()
    assert x[:, 0].tolist() == [value for value, _, _ in plain] if plain else not len(x)
    assert [gallery.names[column] for column in y] == [product for _, product, _ in plain]
    for product in {row[1] for row in plain}:
        rows = gallery.rows_of(gallery.number(product))
        assert gallery.ids[rows].tolist() == [i for _, name, i in plain if name == product]


def test_rows_come_from_their_pieces_in_any_order() -> None:
    gallery = Gallery(np.eye(3), ["a", "a", "b"], np.arange(3))
    gallery.add(5 * np.eye(3), ["c", "a", "b"], np.arange(3, 6))
    assert gallery.features(np.array([4, 0, 5])).tolist() == [[0, 5, 0], [1, 0, 0], [0, 0, 5]]
    assert gallery.unit(np.array([4])).tolist() == [[0, 1, 0]]


def test_a_sample_takes_whole_products() -> None:
    products = [f"p{i}" for i in range(50) for _ in range(4)]
    gallery = Gallery(np.ones((200, 2)), products, np.arange(200))
    sample = gallery.sample(40)
    assert len(sample) == 40
    assert all(len(sample.rows_of(number)) == 4 for number in range(len(sample.names)))
    assert gallery.sample(200) is gallery


@pytest.mark.parametrize(
    ("features", "products", "ids", "words"),
    [
        (np.ones((2, 3)), ["a"], [0, 1], "2 features, 1 products"),
        (np.ones((2, 3)), ["a", "b"], [4, 4], "two images"),
        (np.ones((1, 3)), ["a"], [7], "two images"),
        (np.ones((1, 2)), ["a"], [1], "2 dimensions"),
        (np.full((1, 3), np.nan), ["a"], [1], "not finite"),
    ],
)
def test_what_does_not_fit_is_refused(features: np.ndarray, products: list[str], ids: list[int], words: str) -> None:  # type: ignore[type-arg]
    gallery = Gallery(np.ones((1, 3)), ["milk"], np.array([7]))
    with pytest.raises(UserError, match=words):
        gallery.add(features, products, np.array(ids))
    assert len(gallery) == 1


def test_an_unknown_product_offers_the_nearest() -> None:
    gallery = Gallery(np.ones((2, 3)), ["milk", "rice"], np.arange(2))
    with pytest.raises(UserError, match="Did you mean milk"):
        gallery.remove(["rice", "milc"])
    assert len(gallery.alive) == 2
