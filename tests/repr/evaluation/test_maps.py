"""The map: clusters stay together, the seed decides, small and large sets do not fail."""

from __future__ import annotations

import numpy as np
import pytest

from repr.evaluation import maps
from repr.vectors import normalised


def test_clusters_stay_together_and_the_seed_decides() -> None:
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 15)
    vectors = normalised(5 * np.eye(3, 8)[labels] + generator.normal(size=(45, 8)))
    points, how = maps.flat_map(vectors, np.random.default_rng(1))
    assert how == "t-SNE" and points.shape == (45, 2) and np.abs(points).max() == pytest.approx(1)
    distances = np.linalg.norm(points[:, None] - points, axis=2) + 9 * np.eye(45)
    assert (labels[distances.argmin(axis=1)] == labels).mean() > 0.9
    np.testing.assert_array_equal(points, maps.flat_map(vectors, np.random.default_rng(1))[0])


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5])
def test_few_points(n: int) -> None:
    points, _ = maps.flat_map(normalised(np.random.default_rng(0).normal(size=(n, 6))), np.random.default_rng(0))
    assert points.shape == (n, 2) and np.isfinite(points).all()


def test_equal_points_do_not_fail() -> None:
    flat, _ = maps.flat_map(np.ones((30, 1), np.float32), np.random.default_rng(0))
    assert not flat.any()
