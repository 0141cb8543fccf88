"""The optimiser and the rates that a method comes with."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """A method's optimiser and rates, as its paper or lightly's benchmark sets them.

    lr: base rate at a batch of 256 and training from scratch; lr_rule says how it follows the batch size B:
    "linear" lr * B / 256, "sqrt" lr * sqrt(B / 256). lr_from_weights: the same when training starts from weights.
    warmup: epochs of linear warm-up, at most a tenth of the run, which is lightly's share (10 of 100 epochs). final: share of the rate
    left at the end of the cosine.
    """

    optimiser: str
    lr: float
    lr_from_weights: float
    lr_rule: str
    weight_decay: float
    warmup: float
    final: float = 0.0

    def rate(self, batch_size: int, *, from_weights: bool) -> float:
        """The base rate for a batch of `batch_size` images (over all devices)."""
        lr = self.lr_from_weights if from_weights else self.lr
        share = batch_size / 256
        return lr * (share if self.lr_rule == "linear" else math.sqrt(share))
