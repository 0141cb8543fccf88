"""What a person sees of a run: one bar on stderr, and a line an epoch."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

from tqdm import tqdm

EVERY = 0.5  # seconds between two looks at the loss, each of which makes a GPU wait


class Bar:
    """The bar over all steps of a run. quiet: nothing is shown (other ranks, tests)."""

    def __init__(self, total: int, done: int, *, quiet: bool) -> None:
        self._bar = tqdm(
            total=total,
            initial=done,
            unit="step",
            file=sys.stderr,
            disable=quiet,
            leave=False,
            dynamic_ncols=True,
            mininterval=0.5 if sys.stderr.isatty() else 30,
        )
        self._looked = 0.0
        self.quiet = quiet

    def step(self) -> bool:
        """Count a step; returns whether it is time to show the loss again."""
        self._bar.update()
        now = time.monotonic()
        if self.quiet or now - self._looked < EVERY:
            return False
        self._looked = now
        return True

    def show(self, epoch: str, loss: float, data_wait: float) -> None:
        """Put the epoch, the loss so far and the share of time spent waiting for pictures into the bar."""
        self._bar.set_description_str(f"epoch {epoch}", refresh=False)
        self._bar.set_postfix_str(f"loss {loss:.3f}, data_wait {data_wait:.1%}", refresh=False)

    def say(self, text: str) -> None:
        """A line above the bar."""
        if not self.quiet:
            tqdm.write(text, file=sys.stderr)

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
