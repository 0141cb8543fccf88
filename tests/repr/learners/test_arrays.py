"""What learners are given is checked, and the small formulas are those of others."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import logit, softmax
from sklearn.preprocessing import normalize

from repr.errors import UserError
from repr.learners.arrays import as_features, as_labels, as_pixels, as_taught, by_class, log_odds, unit
from repr.learners.arrays import given as chosen

finite = st.floats(-1e3, 1e3, width=32)


@settings(max_examples=25)
@given(arrays(np.float32, (5, 3), elements=finite))
def test_unit_rows_are_scikit_learns(x: Any) -> None:
    np.testing.assert_allclose(unit(x), normalize(x.astype(np.float64)), atol=1e-6)


def test_a_row_of_zeros_stays_one_and_the_last_axis_is_scaled() -> None:
    x = np.array([[[3.0, 4.0], [0.0, 0.0]]])
    assert unit(x).tolist() == [[[pytest.approx(0.6), pytest.approx(0.8)], [0.0, 0.0]]] and unit(x).dtype == np.float32


@settings(max_examples=25)
@given(arrays(np.float64, (4, 3), elements=st.floats(-8, 8)))
def test_log_odds_of_the_largest_probability(scores: Any) -> None:
    np.testing.assert_allclose(log_odds(scores), logit(softmax(scores, axis=1).max(axis=1)), atol=1e-4)


def test_log_odds_where_a_probability_would_be_one() -> None:
    assert log_odds(np.array([[900.0, 0.0], [1800.0, 0.0]])).tolist() == [900.0, 1800.0]
    assert log_odds(np.array([[-7.0], [2.0]])).tolist() == [-7.0, 2.0], "of a single class its score"
    assert log_odds(np.zeros((0, 3))).shape == (0,)


@pytest.mark.parametrize(
    ("x", "width", "words"),
    [
        (np.zeros(3), None, "features of shape (3,)"),
        (np.zeros((2, 3)), 4, "features of 3 dimensions, but 4 were learned"),
        (np.array([[0.0, 1.0], [np.nan, 0.0], [np.inf, 0.0]]), None, "row 1 are not finite"),
    ],
)
def test_features_that_do_not_fit(x: Any, width: int | None, words: str) -> None:
    with pytest.raises(UserError, match=re.escape(words)):
        as_features(x, width)


def test_features_become_float32_rows_side_by_side() -> None:
    x = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    rows = as_features(x, 3)
    assert rows.dtype == np.float32 and rows.flags.c_contiguous and rows.tolist() == x.tolist() and as_features(x[:0]).shape == (0, 3)


@pytest.mark.parametrize(
    "x", [np.zeros((2, 4, 4, 3)), np.zeros((2, 4, 5, 3), np.uint8), np.zeros((4, 4, 3), np.uint8), np.zeros((2, 4, 4, 1), np.uint8)]
)
def test_images_that_do_not_fit(x: Any) -> None:
    with pytest.raises(UserError, match=re.escape(f"images of shape {x.shape} and type {x.dtype}")):
        as_pixels(x)


def test_labels() -> None:
    assert as_labels(np.array([3, 1], np.uint8), 2, first=True).dtype == np.int64
    assert as_labels(np.array([]), 0, first=False).shape == (0,), "NumPy's own empty array is of floats"
    for y in (np.array([1, 2]), np.array([1.0, 2.0, 3.0]), np.array([["a"]])):
        with pytest.raises(UserError, match="one whole number an image"):
            as_labels(y, 3, first=False)
    with pytest.raises(UserError, match="the first step has no images"):
        as_labels(np.array([], np.int64), 0, first=True)


@settings(max_examples=25)
@given(st.lists(st.integers(-3, 3), max_size=12))
def test_by_class_deals_every_position_once_in_its_order(labels: list[int]) -> None:
    y = np.array(labels, dtype=np.int64)
    dealt = [(label, rows.tolist()) for label, rows in by_class(y)]
    assert dealt == [(label, [i for i, other in enumerate(labels) if other == label]) for label in sorted(set(labels))]


def test_what_was_taught() -> None:
    taught = np.array([2, 5, 9])
    assert as_taught([9, 2, 9], taught).tolist() == [2, 9] and as_taught([], taught).tolist() == []
    with pytest.raises(UserError, match="class 4 is not among the 3 taught"):
        as_taught([2, 4], taught)


def test_only_the_rows_that_are_needed_are_taken() -> None:
    x, y = np.arange(8).reshape(4, 2), np.array([5, 2, 5, 7])
    own, labels = chosen(x, y, np.array([5, 7]), "the classes to be removed")
    assert own.tolist() == [[0, 1], [4, 5], [6, 7]] and labels.tolist() == [5, 5, 7]
    with pytest.raises(UserError, match="the vectors of the classes that remain are needed, and were not given"):
        chosen(None, None, np.array([5]), "the classes that remain")
    with pytest.raises(UserError, match="class 3 has none among those given"):
        chosen(x, y, np.array([2, 3]), "the classes that remain", "images")
