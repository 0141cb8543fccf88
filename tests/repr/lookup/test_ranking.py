from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repr.learners import make
from repr.lookup.gallery import Gallery
from repr.lookup.matches import END, Search
from repr.lookup.ranking import best_products, highest, nearest_products
from repr.search import exact
from repr.vectors import normalised
from tests.repr.lookup.galleries import drawn, named


@pytest.mark.parametrize("name", ["ncm", "lda", "ranpac:dimensions=50"])
def test_best_products_are_a_sort_of_the_scores_however_many_are_asked_at_a_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = drawn(30, 6)
    learner, (queries, _) = make(name).learn(x, y), drawn(30, 2, seed=1)
    monkeypatch.setattr(exact, "RESULT_BYTES", 12 * 30 * 7)  # seven queries
    ranking = best_products(learner, np.arange(30) * 7, queries, 6)
    scores = learner.scores(queries)
    assert np.array_equal(ranking.columns, 7 * np.argsort(-scores, axis=1)[:, :6])
    assert np.allclose(ranking.scores, -np.sort(-scores, axis=1)[:, :6], atol=1e-3)
    assert best_products(learner, np.arange(30), queries, 100).scores.shape == (60, 30)


@given(st.lists(st.lists(st.integers(-3, 3), min_size=5, max_size=5), min_size=1, max_size=6), st.integers(1, 8))
def test_highest_is_a_stable_sort(rows: list[list[int]], s: int) -> None:
    scores = np.array(rows, dtype=np.float32)
    values, places = highest(scores, s)
    if s >= 5 or len(np.unique(scores)) == scores.size:
        assert np.array_equal(places, np.argsort(-scores, axis=1, kind="stable")[:, :s])
    assert np.array_equal(values, -np.sort(-scores, axis=1)[:, :s])
    assert np.array_equal(values, np.take_along_axis(scores, places, axis=1))


def test_nearest_products_are_those_of_the_learner() -> None:
    x, y = drawn(30, 6)
    gallery, (queries, _) = Gallery(x, named(y), np.arange(len(y))), drawn(30, 2, seed=1)
    learner = make("neighbour").learn(x, y)
    ranking = nearest_products(gallery, queries, 30, 40.0)
    scores, places = highest(learner.scores(queries), 30)
    assert np.allclose(ranking.scores, scores, atol=1e-3)
    assert (ranking.columns == places).mean() > 0.99  # ties of rounding


def test_removed_images_are_passed_over_whoever_searches() -> None:
    """Forty images of ten products in two pieces, every third of which was removed."""
    x, y = drawn(10, 4)
    vectors, queries = normalised(x), normalised(drawn(10, 1, seed=5)[0])
    gallery = Gallery.of_numbers([vectors[:13], vectors[13:]], y, np.arange(40), np.arange(40) % 3 > 0)
    cosines = queries @ gallery.unit(gallery.alive).T
    nearest = np.stack([cosines[:, y[gallery.alive] == product].max(axis=1) for product in range(10)], axis=1)
    for search in (None, limited(gallery, 100), limited(gallery, 3)):  # who gets too few is answered by the exact search
        ranking = nearest_products(gallery, queries, 10, 40.0, search)
        assert np.array_equal(ranking.columns, np.argsort(-nearest, axis=1))
        assert np.allclose(ranking.scores, -np.sort(-40 * nearest, axis=1), atol=1e-3)


def limited(gallery: Gallery, most: int) -> Search:
    """A search that gives each query no more than `most` images, as inverted lists may."""

    def _search(queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        cosines, rows = exact.top_k_of(queries, gallery.pieces, k)
        rows[:, most:] = END
        return cosines, rows

    return _search
