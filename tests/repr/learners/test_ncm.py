from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import normalize

from repr.learners.ncm import NCM

Array = np.ndarray[Any, Any]


def test_plain_is_scikit_learns_nearest_centroid(shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, _ = shop
    assert np.array_equal(NCM(distance="plain").learn(x, y).predict(queries), NearestCentroid().fit(x, y).predict(queries))


def test_cosine_is_the_nearest_centroid_among_directions(shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, _ = shop
    means = np.stack([x[y == c].mean(axis=0) for c in range(12)])
    reference = NearestCentroid().fit(normalize(means), np.arange(12))
    learner = NCM(distance="cosine", scale=7).learn(x, y)
    assert np.array_equal(learner.predict(queries), reference.predict(normalize(queries)))
    assert np.allclose(learner.scores(queries), 7 * normalize(queries) @ normalize(means).T, atol=1e-4)


def test_centred_is_the_cosine_around_the_mean_of_all(shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, _ = shop
    centre = x.mean(axis=0)
    means = np.stack([x[y == c].mean(axis=0) for c in range(12)])
    learner = NCM(distance="centred", scale=1).learn(x, y)
    assert np.allclose(learner.scores(queries), normalize(queries - centre) @ normalize(means - centre).T, atol=1e-4)


def test_plain_scores_are_differences_of_squared_distances(plane: tuple[Array, Array]) -> None:
    """Two classes at (±1, 0) with shots 0.5 away from their mean: the usual squared distance is 0.25."""
    x = np.array([[1.5, 0], [0.5, 0], [-1.5, 0], [-0.5, 0]], dtype=np.float32)
    scores = NCM(distance="plain", scale=3).learn(x, np.array([1, 1, 0, 0])).scores(np.array([[0.5, 0]], dtype=np.float32))
    assert scores[0, 1] - scores[0, 0] == pytest.approx(3 * 0.5 * (1.5**2 - 0.5**2) / 0.25)


@pytest.mark.parametrize("distance", ["plain", "centred"])
def test_moving_the_origin_changes_nothing(distance: Any, shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, _ = shop
    moved = NCM(distance=distance).learn(x + 5, y).scores(queries + 5)
    assert np.allclose(moved, NCM(distance=distance).learn(x, y).scores(queries), atol=2e-2)


def test_cosine_does_not_see_lengths(shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, _ = shop
    learner = NCM().learn(x, y)
    assert np.allclose(learner.scores(queries * 13), learner.scores(queries), atol=1e-4)
