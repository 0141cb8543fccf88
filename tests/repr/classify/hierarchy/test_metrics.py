"""Hierarchical measures against HiClass and by hand."""

from __future__ import annotations

import hiclass.metrics
import numpy as np
import pytest

from repr.classify.hierarchy.metrics import hierarchical, mistake_height


def named(rows: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """Hashes as names that are distinct over the levels, as HiClass wants them; "" for none."""
    return np.array([["" if code < 0 else f"{level}/{code}" for level, code in enumerate(row)] for row in rows])


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_hiclass(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, predicted = rng.integers(0, 4, (2, 60, 3))
    truth[rng.random(60) < 0.2, 2] = -1  # paths that end earlier
    predicted[rng.random(60) < 0.3, 2] = -1
    found = hierarchical(truth, predicted)
    assert found["hP"] == pytest.approx(hiclass.metrics.precision(named(truth), named(predicted)))
    assert found["hR"] == pytest.approx(hiclass.metrics.recall(named(truth), named(predicted)))
    assert found["hF"] == pytest.approx(hiclass.metrics.f1(named(truth), named(predicted)))


def test_nothing_to_count() -> None:
    assert hierarchical(np.full((2, 2), -1), np.full((2, 2), -1)) == {"hP": 0.0, "hR": 0.0, "hF": 0.0}


def test_mistake_height_by_hand() -> None:
    truth = np.array([[0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 1, -1]])
    predicted = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 2], [1, 2, 3], [1, 2, 3]])
    assert mistake_height(truth, predicted) == pytest.approx((1 + 2 + 3) / 3)
    assert mistake_height(truth[:1], predicted[:1]) is None
