"""Processes of our own, for work that Python's lock would keep on one core."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def processes(workers: int, begin: Callable[..., None] | None = None, *arguments: Any) -> ProcessPoolExecutor:
    """A pool of `workers` fresh processes, each of which first calls `begin(*arguments)`.

    Spawned, not forked: Arrow and torch keep threads that a fork would cut off.
    """
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=begin, initargs=arguments)
