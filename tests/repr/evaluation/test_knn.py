"""Weighted nearest neighbours against lightly's own function and a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lightly.utils.benchmarking import knn_predict
from sklearn.neighbors import KNeighborsClassifier

from repr.evaluation.knn import knn
from repr.vectors import normalised


def points(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(7, size=n)
    return normalised(np.eye(7, 12)[labels] + 0.5 * generator.normal(size=(n, 12))), labels


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.1), (20, 0.1), (200, 0.07)])
def test_agrees_with_lightly(k: int, temperature: float) -> None:
    bank, bank_labels = points(300, 0)
    queries, labels = points(100, 1)
    theirs = knn_predict(
        torch.from_numpy(queries), torch.from_numpy(bank).T, torch.from_numpy(bank_labels), num_classes=7, knn_k=k, knn_t=temperature
    )
    ours = knn(bank, bank_labels, queries, k=k, temperature=temperature)
    np.testing.assert_array_equal(ours.predictions[:, 0], theirs[:, 0].numpy())
    assert ours.accuracy(labels) == pytest.approx(float((theirs[:, 0].numpy() == labels).mean()))
    assert ours.accuracy(labels, 5) >= ours.accuracy(labels)


def test_one_neighbour_agrees_with_scikit_learn() -> None:
    bank, bank_labels = points(200, 2)
    queries, _ = points(50, 3)
    theirs = KNeighborsClassifier(1, metric="cosine").fit(bank, bank_labels).predict(queries)
    np.testing.assert_array_equal(knn(bank, bank_labels, queries, k=1).predictions[:, 0], theirs)


def test_k_is_capped_to_the_bank_and_reported() -> None:
    bank, bank_labels = points(30, 4)
    assert knn(bank, bank_labels, bank[:2]).k == 30
    assert knn(bank, bank_labels, bank, own=np.arange(30)).k == 29


def test_left_out_of_its_own_neighbours() -> None:
    bank = normalised(np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], np.float32))
    labels = np.array([5, 5, 9, 9])
    assert knn(bank, labels, bank, k=1, own=np.arange(4)).accuracy(labels) == 1
    assert knn(bank, np.array([5, 9, 5, 9]), bank, k=1, own=np.arange(4)).accuracy(np.array([5, 9, 5, 9])) == 0


def test_a_label_that_the_bank_lacks_is_wrong() -> None:
    bank, bank_labels = points(30, 5)
    assert knn(bank, bank_labels, bank).accuracy(np.full(30, 99)) == 0


def test_many_votes_of_far_neighbours_count_less_than_few_near_ones() -> None:
    bank = normalised(np.array([[1, 0.01], *[[1, 2.0]] * 5], np.float32))
    assert knn(bank, np.array([1, *[0] * 5]), normalised(np.array([[1, 0]])), k=6).predictions[0].tolist() == [1, 0]
