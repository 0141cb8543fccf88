"""The features that some learners keep: added step by step, taken away, and stored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repr.errors import UserError
from repr.learners.kept import KeptFeatures
from repr.learners.stored import Stored


def taught(steps: list[list[int]]) -> tuple[KeptFeatures, Any, Any]:
    """Steps of class numbers with features of their own: the kept, and all of them in one piece."""
    rng = np.random.default_rng(0)
    kept, xs, ys = KeptFeatures(), [], []
    for labels in steps:
        x, y = rng.normal(size=(len(labels), 3)).astype(np.float32), np.array(labels, dtype=np.int64)
        assert kept.add(x, y) == bool(labels)
        xs.append(x)
        ys.append(y)
    return kept, np.concatenate(xs), np.concatenate(ys)


@settings(max_examples=25)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=4))
def test_steps_are_kept_in_their_order_with_the_means_of_all(first: list[int], others: list[list[int]]) -> None:
    kept, x, y = taught([first, *others])
    assert np.array_equal(kept.x, x) and np.array_equal(kept.y, y) and len(kept) == len(x) and kept.width == 3
    assert kept.classes.tolist() == sorted(set(y.tolist())) and np.array_equal(kept.classes[kept.columns], y)
    expected = [x[y == label].astype(np.float64).mean(axis=0) for label in kept.classes]
    np.testing.assert_allclose(kept.means(), expected, atol=1e-6)


def test_removing_says_which_rows_stay() -> None:
    kept, x, y = taught([[1, 2, 1], [7, 2]])
    assert kept.remove([2]).tolist() == [True, False, True, True, False]
    assert np.array_equal(kept.x, x[y != 2]) and kept.classes.tolist() == [1, 7]
    with pytest.raises(UserError, match="class 2 is not among the 2 taught"):
        kept.remove([2])
    kept.remove([1, 7])
    assert not len(kept) and kept.width is None
    kept.add(np.ones((1, 9), np.float32), np.array([4]))  # as one that was never taught: another width is welcome
    assert kept.width == 9


def test_before_the_first_step_and_what_does_not_fit() -> None:
    kept = KeptFeatures()
    with pytest.raises(UserError, match="nothing has been learned yet"):
        kept.query(np.zeros((1, 3)))
    with pytest.raises(UserError, match="the first step has no images"):
        kept.add(np.zeros((0, 3)), np.array([], np.int64))
    kept.add(np.zeros((1, 3)), np.array([0]))
    for wrong in (lambda: kept.query(np.zeros((1, 4))), lambda: kept.add(np.zeros((1, 4)), np.array([1]))):
        with pytest.raises(UserError, match="4 dimensions, but 3 were learned"):
            wrong()


def test_stored_and_restored() -> None:
    kept, x, y = taught([[3, 1], [3]])
    again = KeptFeatures()
    again.restore(Stored(kept.arrays()))
    assert np.array_equal(again.x, x) and np.array_equal(again.y, y) and again.classes.tolist() == [1, 3]
    with pytest.raises(UserError, match="the array y"):
        KeptFeatures().restore(Stored({"x": x, "y": y[:-1]}))
