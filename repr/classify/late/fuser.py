"""What every way to fuse can do."""

from __future__ import annotations

from typing import Protocol

import torch

from repr.arrays import Floats, Ints
from repr.classify.state import Restored, State


class Fuser(Protocol):
    """What is learnt on the probabilities (m, n, c) of m models."""

    def fit(self, probabilities: Floats, labels: Ints, generator: torch.Generator) -> Fuser:
        """Learn from rows with labels (n,) in 0..c-1, and return itself."""

    def fuse(self, probabilities: Floats) -> Floats:
        """(n, c) that sum to one."""

    def state(self) -> State:
        """What it has learnt."""

    def restore(self, state: Restored) -> Fuser:
        """Take over what `state` gave, and return itself."""
