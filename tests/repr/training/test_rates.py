"""Schedules of the rate."""

from __future__ import annotations

import pytest
import torch
from transformers import get_linear_schedule_with_warmup

from repr.training.rates import linear, tenths


def test_linear_is_that_of_transformers() -> None:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = get_linear_schedule_with_warmup(optimiser, 10, 100)
    for step in range(100):
        assert linear(0.1)(step / 100) == pytest.approx(optimiser.param_groups[0]["lr"])
        optimiser.step()
        theirs.step()


@pytest.mark.parametrize(("epoch", "expected"), [(0, 1), (11, 1), (12, 0.1), (35, 0.01), (59, 1e-4)])
def test_a_tenth_every_twelve_epochs(epoch: int, expected: float) -> None:
    assert tenths(12 / 60)(epoch / 60) == pytest.approx(expected)
