"""Nearest neighbour against scikit-learn's nearest neighbour, and against what `repr lookup` answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from repr.evaluation.knn import knn
from repr.learners.neighbour import Neighbour, votes
from repr.lookup.cache import Matrix
from repr.lookup.matches import hits
from repr.vectors import normalised

Array = np.ndarray[Any, Any]


def test_it_is_scikit_learns_nearest_neighbour(shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, _ = shop
    reference = KNeighborsClassifier(1, metric="cosine", algorithm="brute").fit(x, y)
    assert np.array_equal(Neighbour().learn(x, y).predict(queries), reference.predict(queries))


def test_it_answers_as_lookup_does(shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, _ = shop
    learner = Neighbour(scale=1).learn(x[y < 6], y[y < 6]).learn(x[y >= 6], y[y >= 6])
    matrix = Matrix(np.arange(1, len(x) + 1), np.asarray(y, np.int64), (normalised(x),), np.ones(len(x), bool), 1)
    answers = [{int(y[int(row)]): score for row, score in pairs} for pairs in hits(matrix, normalised(queries), len(learner.classes_))]
    expected = np.array([[pairs[int(c)] for c in learner.classes_] for pairs in answers])
    np.testing.assert_allclose(learner.scores(queries), expected, atol=1e-5)


def test_votes_are_the_papers() -> None:
    """Two neighbours of class 2 at cosines 0.9 and 0.5, one of class 0 at 0.8: exp(s / T), over that of the nearest."""
    shares = votes(np.array([[0.9, 0.8, 0.5]], np.float32), np.array([[2, 0, 2]]), 4, 0.1)
    assert shares.tolist() == [pytest.approx([np.exp(-1), 0, 1 + np.exp(-4), 0], rel=1e-5)]
    tiny = votes(np.array([[1.0, 0.99, 0.99]], np.float32), np.array([[1, 0, 0]]), 2, 1e-5)
    assert tiny.tolist() == [[0, 1]], "near 0 the nearest alone speaks"


def test_with_a_low_temperature_the_measure_of_features_answers_as_the_learner(shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, _ = shop
    neighbours = knn(normalised(x), y, normalised(queries), k=20, temperature=1e-4)
    assert np.array_equal(neighbours.predictions[:, 0], Neighbour().learn(x, y).predict(queries))
