"""The chain of blocks: every step sees the features, and the step before."""

from __future__ import annotations

import torch
from torch import nn

from repr.classify.hierarchy.blocks import HIDDEN, chain, states

DIM = 5


def linear(step: nn.Module) -> nn.Linear:
    """The layer of a block that reads what it is given."""
    assert isinstance(step, nn.Sequential)
    layer = step[0]
    assert isinstance(layer, nn.Linear)
    return layer


def moved(*, features: bool, before: bool) -> list[bool]:
    """Whether each of three steps changes with the features, where the later ones read the features, the step before, both or neither."""
    torch.manual_seed(0)
    steps = chain(DIM, 3).eval()
    with torch.no_grad():
        for step in list(steps)[1:]:
            if not features:
                linear(step).weight[:, :DIM] = 0
            if not before:
                linear(step).weight[:, DIM:] = 0
    one, other = (states(steps, torch.randn(4, DIM)) for _ in range(2))
    return [not torch.allclose(a, b) for a, b in zip(one, other, strict=True)]


def test_each_later_step_sees_the_features_again_and_the_step_before() -> None:
    """The skip connection reaches a step whose way through the step before is cut, and the other way round."""
    assert moved(features=True, before=True) == [True, True, True]
    assert moved(features=True, before=False) == [True, True, True]
    assert moved(features=False, before=True) == [True, True, True]
    assert moved(features=False, before=False) == [True, False, False]


def test_shapes() -> None:
    found = states(chain(DIM, 2), torch.randn(3, DIM))
    assert [state.shape for state in found] == [(3, HIDDEN)] * 2
