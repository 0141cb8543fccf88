from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repr.learners.means import BLOCK, ClassMeans, ClassRows
from repr.learners.stored import Stored


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


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), max_size=30))
def test_rows_that_come_and_go_are_those_of_a_dictionary(steps: list[tuple[bool, int]]) -> None:
    table, plain = ClassRows(), dict[int, float]()
    for number, (put, label) in enumerate(steps):
        if put:
            table.put(label, np.array([number, label]))
            plain[label] = number
        elif label in plain:
            hole, last = table.drop(label)
            del plain[label]
            assert 0 <= hole <= last == len(table)
        assert table.classes.tolist() == sorted(plain) and [label in table for label in range(7)] == [label in plain for label in range(7)]
        if plain:
            assert table.rows().tolist() == [[plain[label], label] for label in sorted(plain)]
            assert table.squares().tolist() == [plain[label] ** 2 + label**2 for label in sorted(plain)]
            assert [table.place(label) for label in sorted(plain, key=table.place)] == list(range(len(plain)))
        else:
            assert table.width is None


def test_rows_go_over_several_blocks() -> None:
    """The last row takes the place of one that goes, out of its block into another; an empty block goes too."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2 * BLOCK + 1, 3)).astype(np.float32)
    table = ClassRows()
    for label, row in enumerate(values):
        table.put(label, row)
    table.squares()
    gone = [5, 2 * BLOCK, BLOCK, 7]
    for label in gone:
        table.drop(label)
    left = np.setdiff1d(np.arange(len(values)), gone)
    assert np.array_equal(table.classes, left) and np.array_equal(table.rows(), values[left])
    assert np.allclose(table.squares(), (values[left] ** 2).sum(axis=1), atol=1e-5)
    assert [len(block) for block in table.blocks()] == [BLOCK, BLOCK - 3]
    table.put(9 * BLOCK, np.ones(3))
    assert table.row(9 * BLOCK).tolist() == [1, 1, 1] and len(table) == 2 * BLOCK - 2


def test_means_without_a_class_are_those_never_taught_it() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(60, 4)) + 5, np.sort(rng.integers(0, 5, size=60))
    means, reference = ClassMeans(), ClassMeans()
    for part in np.array_split(np.arange(60), 7):
        for label in np.unique(y[part]).tolist():
            for table in (means, reference) if label not in (1, 4) else (means,):
                table.add(label, x[part][y[part] == label])
    means.remove([4, 1])
    assert means.classes.tolist() == [0, 2, 3] and np.array_equal(means.rows(), reference.rows())
    assert means.images == reference.images and means.count(4) == 0
    np.testing.assert_allclose(means.total, reference.total, rtol=1e-6)
    assert np.isclose(means.spread, reference.spread, rtol=1e-12) and np.isclose(means.usual, reference.usual, rtol=1e-6)


def test_stored_and_restored_rows_stand_where_they_stood() -> None:
    rng = np.random.default_rng(2)
    means = ClassMeans()
    for label in rng.permutation(3 * BLOCK)[: BLOCK + 20].tolist():
        means.add(label, rng.normal(size=(2, 4)))
    means.remove(means.classes[:3].tolist())
    twin = ClassMeans()
    stored = Stored(means.arrays())
    twin.restore(stored)
    stored.finish()
    queries = rng.normal(size=(5, 4)).astype(np.float32)
    assert np.array_equal(twin.classes, means.classes) and np.array_equal(twin.products(queries), means.products(queries))
    assert all(twin.place(label) == means.place(label) and twin.count(label) == 2 for label in means.classes.tolist())
    assert (twin.images, twin.spread, twin.usual) == (means.images, means.spread, means.usual)
    empty = ClassMeans()
    empty.restore(Stored(ClassMeans().arrays()))
    assert len(empty) == 0 and empty.width is None and empty.spread == 0
