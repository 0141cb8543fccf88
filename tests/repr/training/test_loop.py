"""What the loop does beside the steps."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from repr.training.loop import Loop
from repr.training.team import Team


def test_figures_of_an_epoch_are_those_of_all_processes_and_times_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other process is made up: it saw a loss of 3 and 2 right."""
    seen = {"loss": 3.0, "correct": 2.0, "steps": 4.0}

    def add(values: torch.Tensor) -> None:
        values += torch.tensor([seen[name] for name in sorted(seen)])

    monkeypatch.setattr(torch.distributed, "all_reduce", add)
    loop = Loop.__new__(Loop)
    loop.team = Team(rank=0, world=2)
    loop.place = SimpleNamespace(device=torch.device("cpu"))  # type: ignore[assignment]
    loop.sums = {"steps": 4.0, "loss": torch.tensor(1.0), "correct": torch.tensor(4.0), "seconds": 9.0, "waited": 1.0}
    loop._average_over_ranks()
    assert loop._means() == {"loss": 0.5, "correct": 0.75}
    assert (loop.sums["seconds"], loop.sums["waited"]) == (9.0, 1.0)
