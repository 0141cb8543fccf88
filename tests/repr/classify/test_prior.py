from __future__ import annotations

import numpy as np
import pytest

from repr.classify.prior import blank, prior


def test_the_prior_is_the_share_of_each_class_with_one_row_more() -> None:
    found = np.exp(prior(np.array([0, 0, 0, 2]), 3))
    assert found.tolist() == pytest.approx([4 / 7, 1 / 7, 2 / 7]) and found.sum() == pytest.approx(1)


def test_blank_rows_say_nothing() -> None:
    assert blank(2, 3).shape == (2, 3) and np.isnan(blank(2, 3)).all() and blank(0, 3).shape == (0, 3)
