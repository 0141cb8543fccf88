"""The one building block of the hierarchical nets."""

from __future__ import annotations

import torch
from torch import Tensor, nn

HIDDEN = 256
DROPOUT = 0.2


def block(inputs: int) -> nn.Sequential:
    """(b, inputs) → (b, HIDDEN): linear, layer norm, GELU, dropout."""
    return nn.Sequential(nn.Linear(inputs, HIDDEN), nn.LayerNorm(HIDDEN), nn.GELU(), nn.Dropout(DROPOUT))


def chain(dim: int, levels: int) -> nn.ModuleList:
    """One block a step: the first takes the features, each later one the features again (a skip connection) and the step before."""
    return nn.ModuleList(block(dim if step == 0 else dim + HIDDEN) for step in range(levels))


def states(steps: nn.ModuleList, features: Tensor) -> list[Tensor]:
    """What each step of a `chain` makes of features (b, dim): one (b, HIDDEN) a step."""
    outputs: list[Tensor] = []
    given = features
    for step in steps:
        outputs.append(step(given))
        given = torch.cat([features, outputs[-1]], dim=1)
    return outputs
