"""What is told of a run: one bar, and a line an epoch."""

from __future__ import annotations

import math
import time
from typing import Any

from repr import progress

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


def epoch_line(row: dict[str, Any], epochs: int) -> str:
    """One epoch's row of metrics.csv in words."""
    parts = [f"epoch {row['epoch']}/{epochs}", f"loss {row['loss']:.3f}"]
    parts += [f"{name} {row[name]:.1%}" for name in ("train_acc", "val_acc", "val_ncm") if isinstance(row.get(name), float)]
    parts += [f"{row['seconds']:.1f} s", f"data_wait {row['data_wait']:.1%}"]
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Seconds in words: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    return f"{math.ceil(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
