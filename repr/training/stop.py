"""Stopping a run with Ctrl-C: at the end of the step, so that the checkpoint is of this very step."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from types import FrameType
from typing import Any


class Stopped(Exception):
    """The user stopped the run; what is in the checkpoint is kept."""


class Stop:
    """While it is entered, the first SIGINT or SIGTERM sets `requested`, and a second one raises Stopped wherever the run is.

    Where nothing would be lost, `harmless` is True and the first one raises: before the first step, in a look at the held-out images.
    While a file is written, `writing` is True and none does.
    Entered outside the main thread (where Python delivers no signals) it does nothing. In a process of several that train together
    it is not entered: `shared`, their event, tells it; so does the end of the process that started them.
    """

    def __init__(self, shared: Any = None) -> None:
        self.harmless = False
        self.writing = False
        self.shared = shared
        self._asked = False
        self._before: dict[int, Any] = {}

    @property
    def requested(self) -> bool:
        """Whether the run is to stop."""
        if self.shared is None:
            return self._asked
        parent = multiprocessing.parent_process()
        return bool(self.shared.is_set()) or (parent is not None and not parent.is_alive())

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        again, self._asked = self._asked, True
        if (again or self.harmless) and not self.writing:
            self.harmless = False
            raise Stopped
