"""Hand-made classes that the learners' tests share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

Array = np.ndarray[Any, Any]


def clusters(centres: Array, shots: int, spread: float, seed: int = 0) -> tuple[Array, Array]:
    """Normal clouds around centres (C, d): features float32 (C · shots, d), labels 0..C-1."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(centres)), shots)
    return (centres[y] + spread * rng.normal(size=(len(y), centres.shape[1]))).astype(np.float32), y


@pytest.fixture
def plane() -> tuple[Array, Array]:
    """Five clouds in the plane at different angles and distances, 8 shots each; labels 3, 10, 11, 40, 7 as given."""
    centres = np.array([[4.0, 0.0], [4.0, 4.0], [0.0, 4.0], [-4.0, 3.0], [-3.0, -4.0]])
    x, y = clusters(centres, 8, 0.3)
    return x, np.array([3, 10, 11, 40, 7])[y]


@pytest.fixture
def shop() -> tuple[Array, Array, Array, Array]:
    """Features ≥ 0 as after a ReLU, 24 dimensions, 12 classes that share directions of variation: 6 shots, 20 tests each."""
    rng = np.random.default_rng(3)
    centres = rng.gamma(2.0, 1.0, size=(12, 24))
    mixing = rng.normal(size=(24, 24)) * np.linspace(0.1, 0.9, 24)[:, None]

    def draw(n: int) -> tuple[Array, Array]:
        y = np.repeat(np.arange(12), n)
        return np.abs(centres[y] + rng.normal(size=(len(y), 24)) @ mixing).astype(np.float32), y

    return *draw(6), *draw(20)
