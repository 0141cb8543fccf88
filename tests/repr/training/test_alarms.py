"""Spread and effective rank at values known in closed form; each alarm rings, and silence when all is well."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from repr.training import alarms


def test_spread_of_axes_and_of_a_point() -> None:
    assert alarms.spread(torch.ones(8, 5)) == pytest.approx(0.0, abs=1e-6)
    both = torch.cat([torch.eye(6), -torch.eye(6)])
    assert alarms.spread(both) == pytest.approx(1.0, abs=1e-6)  # each number has variance 1/6 about 0


def test_spread_of_random_directions_is_about_one() -> None:
    features = torch.randn(4000, 64, generator=torch.Generator().manual_seed(0))
    assert alarms.spread(features) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_effective_rank_of_equal_directions(rank: int) -> None:
    """± e_i, i < rank: centred already, all singular values the same."""
    axes = torch.eye(rank, 7)
    assert alarms.effective_rank(torch.cat([axes, -axes])) == pytest.approx(rank, rel=1e-4)


def test_effective_rank_of_two_unequal_directions() -> None:
    """Singular values 3 : 1 → shares 0.75 and 0.25 → exp of their entropy."""
    features = torch.tensor([[3.0, 0], [-3, 0], [0, 1], [0, -1]])
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert alarms.effective_rank(features) == pytest.approx(math.exp(entropy), rel=1e-5)
    assert alarms.effective_rank(torch.ones(5, 3)) == 0.0


GOOD: dict[str, Any] = {
    "epoch": 10, "warmup": 2.0, "loss": 1.0, "trivial": 4.0, "std": 0.6, "rank": 30.0, "data_wait": 0.0, "seconds": 60.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"loss": 3.99}, "stuck"),
        ({"std": 0.01}, "collapse"),
        ({"rank": 1.1}, "collapse"),
        ({"data_wait": 0.2}, "waits for pictures 20%"),
    ],
)
def test_each_alarm(change: dict[str, Any], words: str) -> None:
    (said,) = alarms.judge(**GOOD | change)
    assert words in said


@pytest.mark.parametrize("change", [{}, {"loss": 3.99, "epoch": 3}, {"loss": 3.99, "trivial": None}, {"data_wait": 0.2, "seconds": 1.0}])
def test_silence(change: dict[str, Any]) -> None:
    assert alarms.judge(**GOOD | change) == []
