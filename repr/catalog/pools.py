"""Processes of our own, for work that Python's lock would keep on one core."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any


def processes(workers: int, begin: Callable[..., None] | None = None, *arguments: Any) -> ProcessPoolExecutor:
    """A pool of `workers` fresh processes, each of which first calls `begin(*arguments)`.

    Spawned, not forked: Arrow and torch keep threads that a fork would cut off.
    """
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=begin, initargs=arguments)
