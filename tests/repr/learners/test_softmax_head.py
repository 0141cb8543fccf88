from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy, normalize

from repr.learners.softmax_head import train_cosine

Array = np.ndarray[Any, Any]


def cosine_loss(x: Array, y: Array, weights: torch.Tensor, scale: float) -> torch.Tensor:
    features = normalize(torch.from_numpy(x).double(), dim=1)
    return cross_entropy(scale * features @ normalize(weights, dim=1).T, torch.from_numpy(y))


def test_the_cosine_head_reaches_a_minimum(shop: tuple[Array, Array, Array, Array]) -> None:
    """Twice the noise, so that the shots cannot be fitted perfectly and there is a minimum: autograd's gradient is 0 there."""
    x, y, *_ = shop
    x = x + np.random.default_rng(0).normal(scale=2, size=x.shape).astype(np.float32)
    start = np.stack([x[y == c].mean(axis=0) for c in range(12)])
    trained = train_cosine(x, y, start, scale=8, steps=500)
    weights = torch.from_numpy(trained).double().requires_grad_()
    loss = cosine_loss(x, y, weights, 8)
    (gradient,) = torch.autograd.grad(loss, weights)
    before = cosine_loss(x, y, torch.from_numpy(start).double(), 8)
    assert loss < before
    assert gradient.abs().max() < 2e-3
