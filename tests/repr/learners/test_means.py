from __future__ import annotations

import numpy as np
import pytest

from repr.learners.means import BLOCK, ClassMeans, ClassRows


def test_rows_over_several_blocks_and_in_any_order() -> None:
    rng = np.random.default_rng(0)
    labels = rng.permutation(3 * BLOCK)[: 2 * BLOCK + 5]
    values = rng.normal(size=(len(labels), 3)).astype(np.float32)
    table = ClassRows()
    for label, row in zip(labels.tolist(), values, strict=True):
        table.put(label, row)
    order = np.argsort(labels)
    queries = rng.normal(size=(4, 3)).astype(np.float32)
    assert np.array_equal(table.classes, labels[order])
    assert np.array_equal(table.rows(), values[order])
    assert np.allclose(table.products(queries), queries @ values[order].T, atol=1e-6)
    assert np.allclose(table.squares(), (values[order] ** 2).sum(axis=1), atol=1e-5)


def test_a_new_class_moves_no_other_row() -> None:
    table = ClassRows()
    table.put(0, np.ones(2))
    view = table.row(0)
    for label in range(1, BLOCK + 2):
        table.put(label, np.zeros(2))
    view[:] = 7
    assert table.row(0).tolist() == [7, 7]


def test_squares_follow_a_changed_row() -> None:
    table = ClassRows()
    table.put(1, np.array([1, 0]))
    table.put(0, np.array([2, 0]))
    assert table.squares().tolist() == [4, 1]
    table.put(1, np.array([3, 0]))
    assert table.squares().tolist() == [4, 9]


def test_means_and_scatter_are_exact_however_the_images_are_dealt() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(60, 4)) + 5, rng.integers(0, 3, size=60)
    means, scatter = ClassMeans(), np.zeros((4, 4))
    for part in np.array_split(np.arange(60), 7):
        for label in np.unique(y[part]).tolist():
            deviations = means.add(label, x[part][y[part] == label])
            scatter += deviations.T @ deviations
    expected = sum((x[y == c] - x[y == c].mean(0)).T @ (x[y == c] - x[y == c].mean(0)) for c in range(3))
    assert np.allclose(means.rows(), [x[y == c].mean(0) for c in range(3)], atol=1e-5)
    assert np.allclose(scatter, expected, atol=1e-4)
    assert np.isclose(means.spread, np.trace(expected), rtol=1e-5)
    assert np.allclose(means.total, x.sum(axis=0))
    assert (means.images, means.count(0), means.count(9)) == (60, int((y == 0).sum()), 0)


def test_the_usual_distance_is_to_the_class_mean_or_of_single_images_to_the_mean_of_all() -> None:
    means = ClassMeans()
    assert means.images == 0
    for label, row in enumerate(np.array([[0.0, 0.0], [4.0, 0.0], [2.0, 3.0]])):
        means.add(label, row[None])
    assert means.usual == pytest.approx(((4 + 1) + (4 + 1) + 4) / 3)  # around (2, 1)
    means.add(0, np.array([[2.0, 0.0]]))
    assert means.usual == pytest.approx((1 + 1 + 0 + 0) / 4)
