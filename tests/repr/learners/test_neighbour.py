"""Nearest neighbour against scikit-learn's nearest neighbour, and against what `repr lookup` answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from repr.learners.neighbour import Neighbour
from repr.lookup.index import Index
from repr.models.weights import fresh

Array = np.ndarray[Any, Any]


def test_it_is_scikit_learns_nearest_neighbour(shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, _ = shop
    reference = KNeighborsClassifier(1, metric="cosine", algorithm="brute").fit(x, y)
    assert np.array_equal(Neighbour().learn(x, y).predict(queries), reference.predict(queries))


def test_it_answers_as_lookup_does(shop: tuple[Array, Array, Array, Array], tmp_path: Path) -> None:
    x, y, queries, _ = shop
    learner = Neighbour(scale=1).learn(x[y < 6], y[y < 6]).learn(x[y >= 6], y[y >= 6])
    index = Index.create(tmp_path / "index", fresh("resnet18", 64, 0), dim=x.shape[1], root=tmp_path)
    index.add_vectors(x, [str(label) for label in y], [f"{i}.jpg" for i in range(len(x))])
    answers = index.search(queries, len(learner.classes_))
    expected = np.array([[next(m.score for m in found if m.product == str(c)) for c in learner.classes_] for found in answers])
    np.testing.assert_allclose(learner.scores(queries), expected, atol=1e-5)
