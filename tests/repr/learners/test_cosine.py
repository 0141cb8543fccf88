from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import normalize

from repr.learners.cosine import Cosine
from repr.learners.ncm import NCM

Array = np.ndarray[Any, Any]


def test_untrained_it_is_nearest_class_mean(shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, _ = shop
    assert np.allclose(Cosine(steps=0).learn(x, y).scores(queries), NCM().learn(x, y).scores(queries), atol=1e-4)


def test_trained_it_stands_with_scikit_learns_logistic_regression(shop: tuple[Array, Array, Array, Array]) -> None:
    """The same model but for the length of the weights, which is fixed: their best answers nearly agree."""
    x, y, queries, answers = shop
    reference = LogisticRegression(C=20, fit_intercept=False, max_iter=2000).fit(normalize(x), y)
    learner = Cosine(scale=20, steps=200).learn(x, y)
    right, reference_right = (learner.predict(queries) == answers).mean(), reference.score(normalize(queries), answers)
    assert abs(right - reference_right) < 0.05
    assert (learner.predict(queries) == reference.predict(normalize(queries))).mean() > 0.8


def test_training_lowers_the_loss_on_the_shots(shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, *_ = shop

    def loss(steps: int) -> float:
        scores = Cosine(steps=steps).learn(x, y).scores(x).astype(np.float64)
        share = np.exp(scores - scores.max(axis=1, keepdims=True))
        return float(log_loss(y, share / share.sum(axis=1, keepdims=True)))

    assert loss(30) < loss(5) < loss(0)
