from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from repr.learners.linear import Linear

Array = np.ndarray[Any, Any]


@pytest.mark.parametrize("c", [0.5, 20.0])
def test_it_is_scikit_learns_logistic_regression(c: float, shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, _ = shop
    reference = LogisticRegression(C=c, max_iter=2000, tol=1e-8).fit(normalize(x.astype(np.float64)), y)
    learner = Linear(c=c).learn(x, y)
    ours, theirs = learner.scores(queries), reference.decision_function(normalize(queries))
    ours, theirs = ours - ours.mean(axis=1, keepdims=True), theirs - theirs.mean(axis=1, keepdims=True)
    assert np.abs(ours - theirs).max() < 0.01 * np.abs(theirs).max()
    assert (learner.predict(queries) == reference.predict(normalize(queries))).mean() > 0.99
