"""Hand-made classes that the learners' tests share."""

from __future__ import annotations

from collections.abc import Callable
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


@pytest.fixture
def small_encoder() -> Callable[[], Any]:
    """Makes the same small encoder each time: one convolution with batch norm, 512 features, images of 16 px."""
    import torch
    from torch import nn

    from repr.models.encoder import Encoder

    def make() -> Encoder:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            layers = [
                nn.Conv2d(3, 24, 4, stride=4),
                nn.BatchNorm2d(24),
                nn.ReLU(),
                nn.Dropout2d(0.05),  # draws from torch's global generator
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                nn.Linear(24, 512),
            ]
            return Encoder(nn.Sequential(*layers), "resnet18", 16).eval()

    return make


@pytest.fixture
def coloured() -> tuple[Array, Array, Array, Array]:
    """Noisy 16 px squares of six colours, labels 5, 2, 9, 4, 7, 30: 6 shots and 5 tests of each."""
    colours = np.array([[200, 40, 40], [40, 200, 40], [40, 40, 200], [200, 200, 40], [40, 200, 200], [200, 40, 200]])
    rng = np.random.default_rng(0)

    def draw(n: int) -> tuple[Array, Array]:
        y = np.repeat(np.arange(6), n)
        noise = rng.normal(0, 30, size=(len(y), 16, 16, 3))
        return np.clip(colours[y][:, None, None] + noise, 0, 255).astype(np.uint8), np.array([5, 2, 9, 4, 7, 30])[y]

    return *draw(6), *draw(5)
