"""Photographs of concurrent requests in one forward pass: while the index works at some, those that come wait and are the next ones.

No photograph waits for others: with nobody else asking it goes at once, alone. The queue is bounded, and who finds it full is told when to
come again. A photograph whose request was given up is left out.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from repr.lookup.matches import Answer

Ask = Callable[[Sequence[bytes], int], list[Answer]]  # photographs and k → an answer each


class Full(Exception):
    """The queue takes no more. after: seconds from now when it will."""

    def __init__(self, after: int) -> None:
        super().__init__(f"come again in {after} s")
        self.after = after


@dataclass(eq=False)
class _Waiting:
    data: bytes
    k: int
    answer: asyncio.Future[Answer]


class Batcher:
    """Asks for answers in batches, in a thread of its own. Used from one event loop.

    most: photographs a batch. room: photographs that wait. seen: told the size of each batch.
    """

    def __init__(self, ask: Ask, *, most: int, room: int, seen: Callable[[int], object] = lambda size: None) -> None:
        self._ask, self._most, self._room, self._seen = ask, most, room, seen
        self._queue: deque[_Waiting] = deque()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="lookup")
        self._task: asyncio.Task[None] | None = None
        self._pace = 0.1  # seconds a photograph took lately

    def __len__(self) -> int:
        return len(self._queue)

    async def answers(self, photographs: Sequence[bytes], k: int) -> list[Answer]:
        """An answer for each, in order. Raises Full when they find no room, and what the index raises."""
        if len(self._queue) + len(photographs) > max(self._room, len(photographs) if not self._queue else 0):
            raise Full(max(1, math.ceil(self._pace * len(self._queue))))
        loop = asyncio.get_running_loop()
        waiting = [_Waiting(data, k, loop.create_future()) for data in photographs]
        self._queue.extend(waiting)
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._work())
        try:
            return await asyncio.gather(*(one.answer for one in waiting))
        finally:
            for one in waiting:
                one.answer.cancel()  # nobody is there any more to hear it; nothing where it is answered

    async def _work(self) -> None:
        """Answer until nobody waits."""
        loop = asyncio.get_running_loop()
        while self._queue:
            batch = self._next()
            if not batch:
                continue
            self._seen(len(batch))
            begun = time.monotonic()
            k = max(one.k for one in batch)
            try:
                answers = await loop.run_in_executor(self._pool, self._ask, [one.data for one in batch], k)
            except Exception as error:  # whoever waits for it is told
                for one in batch:
                    if not one.answer.done():
                        one.answer.set_exception(error)
                continue
            self._pace += 0.2 * ((time.monotonic() - begun) / len(batch) - self._pace)
            for one, answer in zip(batch, answers, strict=True):
                if not one.answer.done():
                    one.answer.set_result(Answer(answer.query, answer.matches[: one.k], answer.unknown, answer.error))

    def _next(self) -> list[_Waiting]:
        """Up to `most` that are still wanted."""
        batch: list[_Waiting] = []
        while self._queue and len(batch) < self._most:
            one = self._queue.popleft()
            if not one.answer.done():
                batch.append(one)
        return batch

    async def close(self) -> None:
        """Answer those who wait, and end the thread; who asks after that gets another."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        self._pool.shutdown()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="lookup")
