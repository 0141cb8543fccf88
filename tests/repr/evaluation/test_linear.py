"""The linear probe against scikit-learn's logistic regression, and its seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from repr.evaluation.linear import linear_probe


def points(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(6, size=n)
    return (3 * np.eye(6, 20)[labels] + generator.normal(size=(n, 20))).astype(np.float32), labels * 10


def test_as_good_as_logistic_regression() -> None:
    (x, y), (queries, labels) = points(500, 0), points(400, 1)
    ours = linear_probe(x, y, queries, generator=torch.Generator().manual_seed(0))
    theirs = LogisticRegression(max_iter=2000).fit(x, y).score(queries, labels)
    assert ours.accuracy(labels) == pytest.approx(theirs, abs=0.02)
    assert ours.accuracy(labels, 5) >= ours.accuracy(labels)
    assert ours.predictions.shape == (400, 5) and set(np.unique(ours.predictions)) <= set(range(0, 60, 10))


def test_the_same_for_any_scale_and_the_same_seed() -> None:
    (x, y), (queries, _) = points(200, 2), points(50, 3)
    runs = [linear_probe(x * s, y, queries * s, generator=torch.Generator().manual_seed(1), epochs=10) for s in (1, 1, 1000)]
    np.testing.assert_array_equal(runs[0].predictions, runs[1].predictions)
    assert (runs[0].predictions[:, 0] == runs[2].predictions[:, 0]).mean() > 0.97


def test_two_classes_and_a_label_never_trained() -> None:
    x = np.array([[1, 0], [0, 1], [1, 0.1], [0.1, 1]], np.float32)
    probe = linear_probe(x, np.array([0, 1, 0, 1]), x, generator=torch.Generator().manual_seed(0))
    assert probe.predictions.shape == (4, 2)
    assert probe.accuracy(np.full(4, 7)) == 0
