from __future__ import annotations

from typing import Any

import numpy as np

from repr.learners.cosine import Cosine
from repr.learners.tfa import TFA

Array = np.ndarray[Any, Any]


def test_the_first_stage_is_a_cosine_head(shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, _ = shop
    assert np.allclose(TFA(steps=20).learn(x, y).scores(queries), Cosine(scale=20, steps=20).learn(x, y).scores(queries))


def test_without_the_balanced_stage_base_weights_stay(shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, *_ = shop
    learner = TFA(fine=0).learn(x[y < 8], y[y < 8])
    before = learner.weights_.copy()
    learner.learn(x[y >= 8], y[y >= 8])
    assert np.allclose(learner.weights_[:8], before, atol=1e-6)


def test_new_weights_are_trained_on_the_novel_shots_alone(shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, _ = shop
    learner = TFA(fine=0, steps=30).learn(x[y < 8], y[y < 8]).learn(x[y >= 8], y[y >= 8])
    alone = Cosine(scale=20, steps=30).learn(x[y >= 8], y[y >= 8])
    assert np.allclose(learner.scores(queries)[:, 8:], alone.scores(queries), atol=1e-3)


def test_the_balanced_set_has_k_of_each_class(shop: tuple[Array, Array, Array, Array]) -> None:
    """Six shots of each base class; two of one novel class, three of another: k is 3."""
    x, y, *_ = shop
    novel = np.concatenate([np.flatnonzero(y == 8)[:2], np.flatnonzero(y == 9)[:3]])
    learner = TFA().learn(x[y < 8], y[y < 8]).learn(x[novel], y[novel])
    chosen = learner.kept_.y[learner._balanced(3)]
    assert np.bincount(chosen).tolist() == [3] * 8 + [2, 3]
