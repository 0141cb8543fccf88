from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repr.learners import make
from repr.lookup.gallery import Gallery
from repr.lookup.ranking import ImageSearch, best_products, highest, nearest_products
from repr.search import exact
from repr.vectors import normalised
from tests.repr.lookup.galleries import drawn, named, shop


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
    ranking = nearest_products(ImageSearch(gallery), gallery, queries, 30, 40.0)
    scores, places = highest(learner.scores(queries), 30)
    assert np.allclose(ranking.scores, scores, atol=1e-3)
    assert (ranking.columns == places).mean() > 0.99  # ties of rounding


def test_a_search_that_has_no_more_leaves_places_empty() -> None:
    """Inverted lists may give fewer images than were asked for."""
    gallery = shop(6, 2)

    def one(queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
        cosines, rows = ImageSearch(gallery)(queries, k)
        rows[:, 1:] = -1
        return cosines, rows

    ranking = nearest_products(one, gallery, gallery.features(np.arange(3)), 4, 40.0)
    assert (ranking.columns[:, 1:] == -1).all()
    assert ranking.columns[:, 0].tolist() == [0, 0, 1]
    assert np.isneginf(ranking.scores[:, 1:]).all()


def test_the_image_search_follows_additions_and_removals() -> None:
    gallery = shop(6, 3)
    search = ImageSearch(gallery)
    queries = normalised(drawn(6, 1, seed=5)[0])
    search(queries, 2)
    extra, y = drawn(6, 2, seed=9)
    for row in range(len(extra)):
        gallery.add(extra[row : row + 1], named(y[row : row + 1]), np.array([500 + row]))
        search(queries, 1)
    gallery.remove(["p01", "p04"])
    cosines, rows = search(queries, 4)
    alive = gallery.alive
    expected = queries @ gallery.unit(alive).T
    assert np.array_equal(rows, alive[np.argsort(-expected, axis=1)[:, :4]])
    assert np.allclose(cosines, -np.sort(-expected, axis=1)[:, :4], atol=1e-5)
