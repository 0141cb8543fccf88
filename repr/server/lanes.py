"""Threads for one kind of work, so that much of it holds up no other: so many at once, and so many that wait.

A request that is given up ends nothing that has begun: its thread stays taken until the work has ended, since it is the pool that counts
threads and not who waits. Work that has not begun by then is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from repr.server.problems import Problem

T = TypeVar("T")


class Lane:
    """name: of what waits, for who is sent away. threads: at work at once; room: how much waits beside. Used from one event loop."""

    def __init__(self, name: str, *, threads: int, room: int) -> None:
        self.name, self._threads, self._room = name, threads, room
        self._given: set[Future[object]] = set()
        self._pool = self._made()

    def _made(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._threads, thread_name_prefix=self.name.replace(" ", "-"))

    async def run(self, work: Callable[[], T]) -> T:
        """What the work gives, done in a thread. Raises Problem when too much waits already, and what the work raises."""
        waiting = len(self._given) - self._threads
        if waiting >= self._room:
            what, after = f"{waiting} {self.name} are waiting", {"Retry-After": "1"}
            raise Problem(429, "busy", what, "Come again after the time in Retry-After", after)
        future = self._pool.submit(work)
        self._given.add(future)  # type: ignore[arg-type]
        future.add_done_callback(self._given.discard)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """End the threads when what was begun has ended; who comes after that gets others."""
        self._pool.shutdown()
        self._pool = self._made()
