"""What the requests of a service share: the index, the queue of photographs, threads to read and to write in, whether it is warm."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeVar

import numpy as np
from fastapi import Depends, Request

from repr.checkout.proposal import Proposer
from repr.errors import UserError
from repr.lookup.matches import Answer
from repr.server.batching import Batcher, Full
from repr.server.doubts import Doubts
from repr.server.keys import Keys
from repr.server.lanes import Lane
from repr.server.metrics import Metrics
from repr.server.problems import Problem
from repr.server.settings import Limits

if TYPE_CHECKING:
    from repr.lookup.index import Index

log = logging.getLogger(__name__)

T = TypeVar("T")
READERS = 8  # threads, each with a connection to index.db
READING = 1024  # questions of some milliseconds that wait: what the system holds of connections


@dataclass(frozen=True)
class Counting:
    """How counters are counted: who finds their products, and the confidence below which one is unknown (None: as the index says)."""

    proposer: Proposer
    threshold: float | None = None


class Service:
    """One index, served. failed: why it could not be made warm."""

    def __init__(self, index: Index, limits: Limits, keys: Keys, counting: Counting) -> None:
        self.index, self.limits, self.keys, self.counting = index, limits, keys, counting
        index.who = "service"
        self.synthetic = bool(index.store.setting("synthetic"))
        self.metrics, self.doubts = Metrics(), Doubts(index.folder)
        self.batcher = Batcher(self._ask, most=limits.batch, room=limits.queue, seen=self.metrics.batch.observe)
        self.metrics.waiting.set_function(lambda: len(self.batcher))
        self.ready = asyncio.Event()
        self.failed: UserError | None = None
        self._readers = Lane("questions", threads=READERS, room=READING)
        self._writer, self._counter, self._inspector, self._painter = (
            Lane(name, threads=1, room=limits.queue) for name in ("changes", "counters", "checks", "maps")
        )
        self._later: set[asyncio.Task[None]] = set()
        self._settling = threading.Lock()

    def _ask(self, photographs: Sequence[bytes], k: int) -> list[Answer]:
        return self.index.lookup(list(photographs), k)

    async def warm(self, on_ready: Callable[[], object], on_failure: Callable[[], object]) -> None:
        """Read weights and vectors, and ask once, so that the first caller waits no longer than others."""
        try:
            await self.read(lambda: self.index.lookup([np.full((64, 64, 3), 128, np.uint8)]))
        except UserError as error:
            self.failed = error
            on_failure()
        except Exception:
            log.exception("The index cannot answer")
            self.failed = UserError("the index cannot answer", self.index.folder, "The reason stands above")
            on_failure()
        else:
            self.ready.set()
            on_ready()

    async def lookup(self, photographs: Sequence[bytes], k: int) -> list[Answer]:
        """An answer each. Raises Problem when too many wait already, or when the index cannot answer."""
        if self.failed is not None:
            raise Problem(503, "not-ready", "the index cannot answer", "See the server's log")
        try:
            return await self.batcher.answers(photographs, k)
        except Full as full:
            what = f"{len(self.batcher)} photographs are waiting"
            raise Problem(429, "busy", what, "Come again after the time in Retry-After", {"Retry-After": str(full.after)}) from None

    def remember(self, photographs: Sequence[bytes], answers: Sequence[Answer]) -> None:
        """Keep those that a person should look at, when the answer is on its way; nothing where nobody may act on it."""
        if self.keys.write is not None:
            self._afterwards(lambda: self.doubts.keep(photographs, answers))

    def settle(self) -> None:
        """Choose anew who answers, where so much has come that it should be; the one of before answers meanwhile."""
        if not self._settling.locked():
            self._afterwards(self._settle)

    def _settle(self) -> None:
        with self._settling:
            try:
                self.index.settle_if_outgrown()
            except UserError as error:
                log.warning(f"Who answers stays as it was: {error}")

    async def read(self, ask: Callable[[], T]) -> T:
        """Run in a thread for reading: what takes milliseconds, for whoever comes waits for it."""
        return await self._readers.run(ask)

    async def count(self, ask: Callable[[], T]) -> T:
        """Run in the thread for counters, one after another. Raises Problem when too many wait already."""
        return await self._counter.run(ask)

    async def inspect(self, ask: Callable[[], T]) -> T:
        """Run in the thread for photographs that are to be stored. Raises Problem when too many wait already."""
        return await self._inspector.run(ask)

    async def paint(self, ask: Callable[[], T]) -> T:
        """Run in the thread for maps. Raises Problem when too many wait already."""
        return await self._painter.run(ask)

    async def write(self, change: Callable[[], T]) -> T:
        """Run in the thread for writing, one change after another; it has ended, and is on the disk, when this returns.

        Where the caller is given up meanwhile, a change that has begun is still made. Raises Problem when too many wait already.
        """
        return await self._writer.run(change)

    def _afterwards(self, work: Callable[[], object]) -> None:
        """Run in a thread when the answer is on its way."""

        async def _run() -> None:
            await self.read(work)

        task = asyncio.get_running_loop().create_task(_run())
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def close(self) -> None:
        """Answer those who wait."""
        await self.batcher.close()
        await asyncio.gather(*self._later, return_exceptions=True)
        for lane in (self._readers, self._writer, self._counter, self._inspector, self._painter):
            lane.close()


def service_of(request: Request) -> Service:
    """The service that a request came to."""
    service: Service = request.app.state.service
    return service


Served = Annotated[Service, Depends(service_of)]
