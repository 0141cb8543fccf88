"""From hits of a search to products: each once, by its best image, without what was removed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repr.lookup.cache import Matrix
from repr.lookup.matches import Match, best, hits
from repr.vectors import normalised


def matrix_of(vectors: np.ndarray, products: list[int], cuts: tuple[int, ...] = ()) -> Matrix:
    n = len(products)
    parts = tuple(np.split(normalised(vectors), cuts))
    return Matrix(np.arange(1, n + 1), np.array(products, np.int64), parts, np.ones(n, bool), 1)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=20), st.integers(1, 6), st.integers(0, 3), st.randoms())
def test_each_product_comes_once_in_the_order_of_the_search(codes: list[int], wanted: int, missing: int, chance: object) -> None:
    order = list(range(len(codes)))
    chance.shuffle(order)  # type: ignore[attr-defined]
    positions = np.array(order + [-1] * missing, np.int64)
    scores = np.linspace(1, 0, len(positions), dtype=np.float32)
    alive = np.array([position % 3 > 0 for position in range(len(codes))])
    matrix = replace(matrix_of(np.ones((len(codes), 2), np.float32), codes), alive=alive)
    found, ended = best(scores, positions, matrix, wanted, per_image=False)
    expected: list[int] = []
    for position in order:
        if alive[position] and codes[position] not in [codes[other] for other in expected]:
            expected.append(position)
    assert found[:, 0].astype(int).tolist() == expected[:wanted]
    assert ended == (missing > 0)
    assert (np.diff(found[:, 1]) <= 0).all()


@pytest.mark.parametrize("cuts", [(), (7,), (1, 20, 39)])
@pytest.mark.parametrize("per_image", [False, True])
def test_hits_equal_a_sort_of_all_cosines(cuts: tuple[int, ...], per_image: bool) -> None:
    generator = np.random.default_rng(0)
    vectors, products = generator.normal(size=(40, 8)).astype(np.float32), [n // 4 for n in range(40)]
    alive = generator.random(40) > 0.4
    matrix, queries = replace(matrix_of(vectors, products, cuts), alive=alive), normalised(generator.normal(size=(5, 8)))
    cosines = queries @ normalised(vectors).T
    for query, found in zip(cosines, hits(matrix, queries, 6, per_image=per_image), strict=True):
        rows, seen = [int(row) for row in np.argsort(-query) if alive[row]], list[int]()
        for row in rows:
            if per_image or products[row] not in [products[other] for other in seen]:
                seen.append(row)
        assert found[:, 0].astype(int).tolist() == seen[:6]
        np.testing.assert_allclose(found[:, 1], query[seen[:6]], atol=1e-6)


def test_one_product_with_nearly_all_images_does_not_hide_the_others() -> None:
    vectors = np.full((3000, 8), 0.01, np.float32)
    vectors[:, 0] = 1
    vectors[-1] = -vectors[-1]
    matrix = matrix_of(vectors, [1] * 2999 + [2])
    found = hits(matrix, normalised(vectors[:2]), 10)[0][:, 0].astype(int)
    assert matrix.products[found].tolist() == [1, 2]
    assert len(hits(matrix, normalised(vectors[:1]), 5, per_image=True)[0]) == 5


def test_nothing_is_found_in_nothing() -> None:
    empty = Matrix(np.empty(0, np.int64), np.empty(0, np.int64), (), np.empty(0, bool), 1)
    assert [len(found) for found in hits(empty, np.ones((2, 8), np.float32), 3)] == [0, 0]
    matrix = matrix_of(np.ones((4, 8), np.float32), [1, 1, 2, 2])
    assert hits(matrix, np.empty((0, 8), np.float32), 3) == []
    gone = replace(matrix, alive=np.zeros(4, bool))
    assert [len(found) for found in hits(gone, np.ones((1, 8), np.float32), 3)] == [0]


def test_a_match_as_json_has_all_that_is_known() -> None:
    match = Match("egg", 0.5, "egg/1.jpg", "Egg", "42", ("food", "fresh"), box=(0, 0, 1, 1))
    assert match.as_json() == {
        "product": "egg",
        "name": "Egg",
        "barcode": "42",
        "category": ["food", "fresh"],
        "probability": None,
        "score": 0.5,
        "image": "egg/1.jpg",
    }
