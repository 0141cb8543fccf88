"""Stopping a run with Ctrl-C: at the end of the step, so that the checkpoint is of this very step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType

from repr import worker

Handler = Callable[[int, FrameType | None], object] | int | None


class Stopped(Exception):
    """The user stopped the run; what is in the checkpoint is kept."""


class Stop:
    """While it is entered, the first SIGINT or SIGTERM sets `requested`, and a second one raises Stopped wherever the run is.

    Where nothing would be lost, `harmless` is True and the first one raises: before the first step, in a look at the held-out images.
    While a file is written, `writing` is True and none does.
    Entered outside the main thread (where Python delivers no signals) it does nothing. One of several processes may be sent the same
    twice, by its launcher and with all others: only the end of the launcher, which a second Ctrl-C there brings about, ends it at once.
    """

    def __init__(self) -> None:
        self.harmless = False
        self.writing = False
        self.requested = False
        self._before: dict[int, Handler] = {}

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        again, self.requested = self.requested, True
        if worker.here().world > 1:
            again = False
            worker.follow_parent(signal.SIGKILL)
        if (again or self.harmless) and not self.writing:
            self.harmless = False
            raise Stopped
