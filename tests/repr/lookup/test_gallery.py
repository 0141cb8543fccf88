from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repr.errors import UserError
from repr.lookup import gallery as module
from repr.lookup.gallery import Gallery, sampled
from repr.vectors import normalised


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=12), st.integers(1, 5))
def test_it_holds_what_was_not_removed(images: list[tuple[int, bool]], cut: int) -> None:
    """Against a plain list, of rows in pieces, products by number."""
    numbers, alive = np.array([number for number, _ in images], np.int64), np.array([there for _, there in images], bool)
    x = np.stack([np.arange(len(images)) + 1.0, np.ones(len(images))], axis=1)
    pieces = [normalised(part) for part in np.split(x, range(cut, len(x), cut)) if len(part)]
    norms = np.linalg.norm(x, axis=1).astype(np.float32)
    gallery = Gallery.of_numbers(pieces, numbers, 10 + np.arange(len(images)), alive, norms)
    taught, columns = gallery.taught()
    kept = [row for row, (_, there) in enumerate(images) if there]
    assert np.allclose(taught, x[kept] if images else taught, rtol=1e-5)
    assert [gallery.names[column] for column in columns] == [str(images[row][0]) for row in kept]
    assert gallery.present.tolist() == sorted({images[row][0] for row in kept})
    for number in range(len(gallery.names)):
        rows = [row for row in kept if images[row][0] == number]
        assert gallery.rows_of(number).tolist() == rows
        assert gallery.counts[number] == len(rows)
        if rows:
            assert gallery.number(str(number)) == number


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=9), st.lists(st.lists(st.integers(0, 7), max_size=3)))
def test_grown_it_is_as_if_made_of_all(images: list[tuple[int, bool]], parts: list[list[int]]) -> None:
    numbers, alive = np.array([number for number, _ in images], np.int64), np.array([there for _, there in images], bool)
    pieces, norms = [np.eye(len(images), 4, dtype=np.float32)], np.ones(len(images), np.float32)
    grown = first = Gallery.of_numbers(pieces, numbers, np.arange(len(images)), alive, norms)
    told = [first.rows_of(number).tolist() for number in range(len(first.names))]
    for part in parts:
        before = grown
        numbers = np.concatenate([numbers, np.array(part, np.int64)])
        pieces = [*pieces, np.ones((len(part), 4), np.float32)]
        grown = before.grown(pieces, np.array(part, np.int64), np.arange(len(numbers)), np.full(len(part), 2, np.float32))
        assert grown.extends(grown) and (before is first or grown.extends(before))
    alive = np.concatenate([alive, np.ones(len(numbers) - len(alive), bool)])
    norms = np.where(np.arange(len(numbers)) < len(images), 1, 2).astype(np.float32)
    whole = Gallery.of_numbers(pieces, numbers, np.arange(len(numbers)), alive, norms)
    for one in (grown, whole):
        assert (one.columns.tolist(), one.alive.tolist(), one.counts.tolist()) == (
            *(whole.columns.tolist(), whole.alive.tolist(), whole.counts.tolist()),
        )
        assert [one.rows_of(number).tolist() for number in range(len(one.names))] == [
            whole.rows_of(number).tolist() for number in range(len(whole.names))
        ]
        assert one.features(one.alive).tolist() == whole.features(whole.alive).tolist()
    assert [first.rows_of(number).tolist() for number in range(len(told))] == told


def test_rows_come_from_their_pieces_in_any_order() -> None:
    eye = np.eye(3, dtype=np.float32)
    norms = np.array([1, 1, 1, 5, 5, np.nan], np.float32)
    gallery = Gallery.of_numbers([eye, eye], np.arange(6), np.arange(6), np.ones(6, bool), norms)
    assert gallery.features(np.array([4, 0])).tolist() == [[0, 5, 0], [1, 0, 0]]
    assert gallery.unit(np.array([5, 1])).tolist() == [[0, 0, 1], [0, 1, 0]]
    with pytest.raises(AssertionError, match="norms"):
        gallery.features(np.array([5]))


def test_a_sample_takes_whole_products(monkeypatch: pytest.MonkeyPatch) -> None:
    products = [f"p{i}" for i in range(50) for _ in range(4)]
    gallery = Gallery(np.ones((200, 2)), products, np.arange(200))
    assert gallery.sample() is gallery
    monkeypatch.setattr(module, "MOST", 40)
    sample = gallery.sample()
    assert len(sample) == 40
    assert all(len(sample.rows_of(number)) == 4 for number in range(len(sample.names)))


@given(st.lists(st.integers(0, 30), min_size=1, max_size=200), st.integers(1, 300), st.integers(1, 20_000))
def test_a_sample_is_of_whole_products_and_about_as_big_as_was_said(products: list[int], most: int, cells: int) -> None:
    numbers = np.array(products)
    rows = sampled(numbers, most, cells)
    chosen = np.unique(numbers[rows])
    assert len(rows) and rows.tolist() == np.flatnonzero(np.isin(numbers, chosen)).tolist()
    share = min(1, most / len(numbers), (cells / (len(numbers) * len(np.unique(numbers)))) ** 0.5)
    assert len(chosen) <= np.ceil(share * len(np.unique(numbers)))


@pytest.mark.parametrize(
    ("features", "products", "ids", "words"),
    [
        (np.ones((2, 3)), ["a"], [0, 1], "2 features, 1 products"),
        (np.ones((2, 3)), ["a", "b"], [4, 4], "two images"),
        (np.full((1, 3), np.nan), ["a"], [1], "not finite"),
    ],
)
def test_what_does_not_fit_is_refused(features: np.ndarray, products: list[str], ids: list[int], words: str) -> None:
    with pytest.raises(UserError, match=words):
        Gallery(features, products, np.array(ids))


def test_an_unknown_product_offers_the_nearest() -> None:
    gallery = Gallery(np.ones((2, 3)), ["milk", "rice"], np.arange(2))
    with pytest.raises(UserError, match="Did you mean milk"):
        gallery.number("milc")
    with pytest.raises(UserError, match="not \\(images"):
        gallery.checked(np.ones(3))
    with pytest.raises(UserError, match="2 dimensions"):
        gallery.checked(np.ones((1, 2)))
