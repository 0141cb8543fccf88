from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import normalize

from repr.learners.ranpac import RIDGE, RanPAC

Array = np.ndarray[Any, Any]


@pytest.mark.parametrize("dimensions", [40, 72, 200], ids=["more images", "as many", "fewer images"])
def test_it_is_scikit_learns_ridge_on_the_same_random_features(dimensions: int, shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, _ = shop
    learner = RanPAC(dimensions=dimensions, ridge=3.0, seed=5).learn(x[y < 8], y[y < 8]).learn(x[y >= 8], y[y >= 8])
    projection = np.random.default_rng(5).standard_normal((24, dimensions), dtype=np.float32)
    hidden, hidden_queries = (np.maximum(normalize(part) @ projection, 0).astype(np.float64) for part in (x, queries))
    reference = Ridge(alpha=3.0, fit_intercept=False).fit(hidden, np.eye(12)[y])
    assert np.allclose(learner.scores(queries) / learner.scale_, reference.predict(hidden_queries), atol=2e-3)


def test_images_are_kept_up_to_the_dimensions_and_then_two_sums(shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, *_ = shop
    learner = RanPAC(dimensions=60, ridge=1.0).learn(x[:60], y[:60])
    assert learner.kept_ is not None
    assert learner.gram_.shape == (60, 60)
    learner.learn(x[60:], y[60:])
    assert learner.kept_ is None
    assert learner.gram_.shape == (60, 60)


def test_the_ridge_is_chosen_on_the_first_step_and_kept() -> None:
    """12 classes of 30 noisy shots: the tiniest and the largest ridge are both bad, and the choice is neither."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(12), 30)
    x = (rng.normal(size=(12, 24))[y] + rng.normal(size=(360, 24))).astype(np.float32)
    learner = RanPAC(dimensions=200).learn(x[y < 8], y[y < 8])
    assert learner.ridge_ is not None
    assert 1e-2 < learner.ridge_ < 1e5
    before = learner.ridge_
    assert learner.learn(x[y >= 8], y[y >= 8]).ridge_ == before


def test_with_too_few_images_to_choose_by_the_ridge_is_fixed(shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, *_ = shop
    assert RanPAC(dimensions=100).learn(x, y).ridge_ == RIDGE  # six shots: one of each class could be held out, 12 in all


def test_images_that_are_there_twice_do_not_break_a_tiny_ridge() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(20), 20)
    x = np.repeat(np.maximum(rng.normal(size=(20, 64))[y[::2]] + 0.1 * rng.normal(size=(200, 64)), 0), 2, axis=0).astype(np.float32)
    learner = RanPAC(dimensions=1000, ridge=1e-8).learn(x, y)
    assert (learner.predict(x) == y).all()


def test_the_seed_draws_the_projection(shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, _ = shop
    scores = [RanPAC(dimensions=50, seed=s).learn(x, y).scores(queries) for s in (0, 0, 1)]
    assert np.array_equal(scores[0], scores[1])
    assert not np.allclose(scores[0], scores[2])
