"""Vectors of length 1, and vectors that are not finite."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from repr.errors import UserError
from repr.vectors import DIVERGED, check_finite, normalised

rows = arrays.arrays(
    np.float32,
    st.tuples(st.integers(0, 6), st.integers(1, 5)),
    elements=st.floats(-(2.0**99), 2.0**99, width=32, allow_subnormal=False),
)


@given(rows)
def test_rows_have_length_one_and_keep_their_direction(vectors: np.ndarray) -> None:  # type: ignore[type-arg]
    unit = normalised(vectors)
    assert unit.dtype == np.float32 and unit.shape == vectors.shape
    zero = ~vectors.any(axis=1)
    assert not unit[zero].any()
    exact = vectors[~zero].astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    np.testing.assert_allclose(unit[~zero], exact, atol=1e-6)


def test_numbers_whose_squares_leave_float32_are_no_zeros() -> None:
    np.testing.assert_allclose(normalised([[3e-30, 4e-30], [3e30, 4e30], [0, 0]]), [[0.6, 0.8], [0.6, 0.8], [0, 0]], rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_told_with_its_row(bad: float) -> None:
    vectors = np.ones((5, 3), np.float32)
    check_finite(vectors, "here")
    check_finite(vectors[:0], "here")
    vectors[2:4, 1] = bad
    with pytest.raises(UserError, match="here: 2 of 5 embeddings are not finite, first row 2") as raised:
        check_finite(vectors, "here")
    assert raised.value.remedy == DIVERGED
