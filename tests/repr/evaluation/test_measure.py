"""A row is what its parts say: the probe on the queries, the votes of kNN, neighbours right on each level."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from repr.evaluation.knn import knn
from repr.evaluation.linear import linear_probe
from repr.evaluation.measure import Constants, measure
from repr.evaluation.resolution import by_resolution
from repr.evaluation.retrieval import retrieval
from repr.vectors import normalised

CONSTANTS = Constants(k=7, temperature=0.2, epochs=5, seed=3)


def drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of eight classes that overlap, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.sort(rng.integers(0, 8, n))
    return (np.random.default_rng(0).normal(size=(8, 16))[labels] + 1.5 * rng.normal(size=(n, 16))).astype(np.float32), labels


def test_queries_apart() -> None:
    (bank, bank_labels), (queries, labels) = drawn(200, 1), drawn(60, 2)
    levels = {1: (bank_labels // 4, labels // 4), 2: (bank_labels // 2, labels // 2)}
    row = measure(
        "a", bank, bank_labels, queries, labels, CONSTANTS,
        bank_levels={n: of[0] for n, of in levels.items()}, query_levels={n: of[1] for n, of in levels.items()},
    )  # fmt: skip
    probe = linear_probe(bank, bank_labels, queries, generator=torch.Generator().manual_seed(3), epochs=5)
    assert (row.linear_top1, row.linear_train) == (probe.accuracy(labels), probe.train_accuracy)
    votes = knn(normalised(bank), bank_labels, normalised(queries), k=7, temperature=0.2)
    right = [(votes.predictions[:, :n] == labels[:, None]).any(axis=1) for n in (1, 5)]
    assert (row.knn_top1, row.knn_top5) == pytest.approx((right[0].mean(), right[1].mean())) and row.knn_top1 < row.knn_top5
    assert row.retrieval.micro == retrieval(normalised(queries), labels, normalised(bank), bank_labels).micro
    nearest = (normalised(queries) @ normalised(bank).T).argmax(axis=1)
    for n, (of_bank, of_queries) in levels.items():
        assert row.by_level[n] == pytest.approx((of_bank[nearest] == of_queries).mean())
    assert np.array_equal(row.correct, right[0]) and (row.bank, row.queries, row.dim) == (200, 60, 16)


def test_numbers_by_name() -> None:
    (bank, bank_labels), (queries, labels) = drawn(200, 1), drawn(60, 2)
    row = measure("a", bank, bank_labels, queries, labels, CONSTANTS, bank_levels={2: bank_labels // 2}, query_levels={2: labels // 2})
    numbers = replace(row, by_resolution=by_resolution(np.arange(60) * 4, row.correct)).metrics()
    assert {name: numbers[name] for name in ("knn_top1", "linear_top1", "effective_rank", "lone_queries")} == {
        "knn_top1": row.knn_top1, "linear_top1": row.linear_top1, "effective_rank": row.effective_rank, "lone_queries": row.retrieval.lone
    }  # fmt: skip
    assert numbers["map@r"] == row.retrieval.micro["map@r"] and numbers["macro/map@r"] == row.retrieval.macro["map@r"]
    assert numbers["level/2"] == row.by_level[2]
    sizes = {name: value for name, value in numbers.items() if name.startswith("images/")}
    assert sizes == {"images/1-75": 18, "images/76-150": 19, "images/151-220": 18, "images/221-400": 4}
    assert numbers["resolution/76-150"] == row.correct[19:38].mean()


def test_rows_of_other_labels_have_another_key() -> None:
    (bank, bank_labels), (queries, labels) = drawn(200, 1), drawn(60, 2)
    keys = [measure("a", bank, bank_labels, of, labels, CONSTANTS).key for of in (queries, queries + 1)]
    assert keys[0] == keys[1] != measure("a", bank, bank_labels, queries[1:], labels[1:], CONSTANTS).key


def test_each_against_the_others() -> None:
    bank, labels = drawn(80, 1)
    row = measure("a", bank, labels, None, labels, CONSTANTS, bank_levels={1: labels // 4}, query_levels={1: labels // 4})
    scores = normalised(bank) @ normalised(bank).T
    np.fill_diagonal(scores, -np.inf)
    assert row.linear_top1 is None and row.retrieval.micro == retrieval(normalised(bank), labels).micro
    assert row.by_level[1] == pytest.approx((labels[scores.argmax(axis=1)] // 4 == labels // 4).mean())


def test_tiny_vectors_have_a_direction() -> None:
    vectors = np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)
    for scale in (1.0, 1e-25, 1e-38, 1e30):
        np.testing.assert_allclose(normalised(vectors * np.float32(scale)), [[0.6, 0.8], [0, 0]], rtol=1e-5)
