"""Stopping a run with Ctrl-C: at the end of the step, so that the checkpoint is of this very step."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

PATIENCE = 2.0  # seconds a step may last for its end to be awaited


class Stopped(Exception):
    """The user stopped the run; what is in the checkpoint is kept."""


class Stop:
    """While it is entered, SIGINT and SIGTERM set `requested`. A step that lasts longer than PATIENCE is broken off at once.

    Where breaking off is harmless, `slow_step` is True: before the loop, inside a slow step, in a look at the held-out pictures;
    never while a file is written.
    Entered outside the main thread (where Python delivers no signals) it does nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self.slow_step = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        if self.slow_step:
            self.slow_step = False
            raise Stopped
