"""Hand-made shops that the tests of answers share."""

from __future__ import annotations

import numpy as np

from repr.arrays import Floats, Ints
from repr.lookup.gallery import Gallery


def drawn(products: int = 12, images: int = 8, *, dim: int = 16, spread: float = 0.5, seed: int = 0) -> tuple[Floats, Ints]:
    """Features ≥ 0 as after a ReLU around a centre a product, (products · images, dim), and the product's number of each."""
    centres = np.random.default_rng(3).gamma(2.0, 1.0, size=(products, dim))
    y = np.repeat(np.arange(products), images)
    noise = np.random.default_rng(seed).normal(size=(len(y), dim)) * np.linspace(0.1, 2, dim) * spread
    return np.abs(centres[y] + noise).astype(np.float32), y


def named(y: Ints) -> list[str]:
    """Product ids of numbers."""
    return [f"p{number:02d}" for number in y.tolist()]


def shop(products: int = 12, images: int = 8, *, dim: int = 16, spread: float = 0.5, seed: int = 0) -> Gallery:
    """A gallery of `drawn`, with ids from 100 on."""
    x, y = drawn(products, images, dim=dim, spread=spread, seed=seed)
    return Gallery(x, named(y), 100 + np.arange(len(y)))
