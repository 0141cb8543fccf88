from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repr.learners import make
from repr.lookup.gallery import Gallery
from repr.lookup.matches import END, Search
from repr.lookup.ranking import best_products, highest, image_search, nearest_products
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
    ranking = nearest_products(image_search(gallery), gallery, queries, 30, 40.0)
    scores, places = highest(learner.scores(queries), 30)
    assert np.allclose(ranking.scores, scores, atol=1e-3)
    assert (ranking.columns == places).mean() > 0.99  # ties of rounding


def test_a_search_that_has_no_more_leaves_places_empty() -> None:
    """Inverted lists may give fewer images than were asked for."""
    gallery = shop(6, 2)

    def one(queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
        cosines, rows = image_search(gallery)(queries, k)
        rows[:, 1:] = -1
        return cosines, rows

    ranking = nearest_products(one, gallery, gallery.features(np.arange(3)), 4, 40.0)
    assert (ranking.columns[:, 1:] == -1).all()
    assert ranking.columns[:, 0].tolist() == [0, 0, 1]
    assert np.isneginf(ranking.scores[:, 1:]).all()


def dead_and_alive() -> Gallery:
    """Forty images of ten products in two pieces, every third of which was removed."""
    x, y = drawn(10, 4)
    vectors = normalised(x)
    return Gallery.of_numbers([vectors[:13], vectors[13:]], y, np.arange(40), np.arange(40) % 3 > 0)


@pytest.mark.parametrize("k", [1, 5, 26, 100])
def test_what_was_removed_is_passed_over(k: int) -> None:
    gallery, queries = dead_and_alive(), normalised(drawn(10, 1, seed=5)[0])
    expected = queries @ gallery.unit(gallery.alive).T
    for whole in (None, exact_of(gallery)):
        cosines, rows = image_search(gallery, whole)(queries, k)
        assert np.array_equal(rows, gallery.alive[np.argsort(-expected, axis=1)[:, :k]])
        assert np.allclose(cosines, -np.sort(-expected, axis=1)[:, :k], atol=1e-5)


def exact_of(gallery: Gallery, most: int = 100) -> Search:
    """A search that gives each query no more than `most` images."""

    def _search(queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
        cosines, rows = exact.top_k_of(queries, gallery.pieces, k)
        rows[:, most:] = END
        return cosines, rows

    return _search


def test_who_gets_too_few_is_answered_by_the_exact_search() -> None:
    gallery, queries = dead_and_alive(), normalised(drawn(10, 1, seed=5)[0])
    ours, theirs = image_search(gallery, exact_of(gallery, 3))(queries, 6), image_search(gallery)(queries, 6)
    assert np.array_equal(ours[1], theirs[1])
    assert np.allclose(ours[0], theirs[0])
