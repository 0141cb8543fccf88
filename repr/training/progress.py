"""What is told of a run: one bar, and a line an epoch."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from repr import progress
from repr.records import Scalar

EVERY = 0.5  # seconds between two looks at the loss, each of which makes a GPU wait


class Bar:
    """The bar over all steps of a run. shown: False in the processes that tell nothing."""

    def __init__(self, total: int, done: int, *, shown: bool) -> None:
        self._bar = progress.bar(total, "", "step", done=done) if shown else progress.Silent()
        self._shown, self._looked = shown, 0.0

    def step(self) -> bool:
        """Count a step; returns whether it is time to show the loss again."""
        self._bar.update()
        now = time.monotonic()
        if not self._shown or now - self._looked < EVERY:
            return False
        self._looked = now
        return True

    def show(self, epoch: str, loss: float, data_wait: float) -> None:
        """Put the epoch, the loss so far and the share of time spent waiting for images into the bar."""
        self._bar.describe(f"epoch {epoch}, loss {loss:.3f}, data_wait {data_wait:.1%}")

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()


@dataclass(frozen=True, kw_only=True)
class Row:
    """An epoch, complete or not: a row of metrics.csv.

    step: optimiser steps done. loss, train_acc: means over the epoch. val_acc, val_ncm: shares of the held-out images that are right.
    seconds: of the epoch; data_wait: share of them spent waiting for images. lr, std, effective_rank: of the last step.
    others: means of what else the method counts. Accuracies that nobody measured are None.
    """

    epoch: int
    step: int
    loss: float
    train_acc: float | None
    val_acc: float | None
    val_ncm: float | None
    seconds: float
    data_wait: float
    images_per_second: float
    lr: float
    std: float
    effective_rank: float
    others: dict[str, float]

    def columns(self) -> dict[str, Scalar]:
        """The columns of metrics.csv in order; what is None is an empty cell."""
        columns = {name: "" if value is None else value for name, value in vars(self).items() if name != "others"}
        return columns | self.others


def epoch_line(row: Row, epochs: int) -> str:
    """One epoch's row of metrics.csv in words."""
    accuracies = {"train_acc": row.train_acc, "val_acc": row.val_acc, "val_ncm": row.val_ncm}
    parts = [f"epoch {row.epoch}/{epochs}", f"loss {row.loss:.3f}"]
    parts += [f"{name} {value:.1%}" for name, value in accuracies.items() if value is not None]
    parts += [f"{row.seconds:.1f} s", f"data_wait {row.data_wait:.1%}"]
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Seconds in words: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    return f"{math.ceil(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
