"""Several processes for several devices: started, watched and stopped together."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import socket
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from typing import Any

from repr.errors import UserError
from repr.machine import cores
from repr.training.stop import Stop, Stopped

GRACE = 10.0  # seconds the others have to end by themselves after one has ended badly

Worker = Callable[..., None]


def launch(world: int, worker: Worker, *arguments: Any) -> None:
    """Run `worker(*arguments, rank, world, stop)` in `world` processes of this machine, or in this one when `world` is 1.

    What a worker raises (UserError, Stopped, anything else with its traceback) is raised here, after all have ended; a worker that was
    killed is a UserError. Ctrl-C reaches every worker as `stop.requested` and never as a signal; a second one ends them at once.
    """
    if world == 1:
        with Stop() as stop:
            worker(*arguments, 0, 1, stop)
        return
    context = multiprocessing.get_context("spawn")
    outcomes, asked = context.Queue(), context.Event()
    port = _free_port()
    processes = [context.Process(target=_child, args=(worker, arguments, rank, world, port, outcomes, asked)) for rank in range(world)]
    with Stop() as stop:
        try:
            with _no_signals():
                for process in processes:
                    process.start()
            failure = _await(processes, outcomes, stop, asked)
        finally:
            for process in processes:
                if process.is_alive():
                    process.kill()
                if process.pid:
                    process.join()
    if failure:
        raise _exception(*failure)


@contextmanager
def _no_signals() -> Iterator[None]:
    """Processes started meanwhile never see Ctrl-C or SIGTERM, which may be sent to all of them; this one sees it afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _await(processes: Sequence[BaseProcess], outcomes: Any, stop: Stop, asked: Any) -> tuple[str, Any] | None:
    """Wait for all to end; the first that fails gives the reason, and the others GRACE seconds. Hands Ctrl-C on as the event `asked`."""
    failure: tuple[str, Any] | None = None
    deadline = float("inf")
    ended: set[int] = set()  # ranks whose work is done, however their process goes down after it
    while any(process.is_alive() for process in processes) and time.monotonic() < deadline:
        if stop.requested:
            asked.set()
        outcome = _next(outcomes, 0.2, ended)
        if outcome is None and _killed(processes, ended):
            outcome = _next(outcomes, 0.5, ended) or ("killed", None)  # what it said before it died may still be on its way
        if outcome is not None and failure is None:
            failure, deadline = outcome, time.monotonic() + GRACE
    return failure or _next(outcomes, 0.5, ended) or (("killed", None) if _killed(processes, ended) else None)


def _next(outcomes: Any, seconds: float, ended: set[int]) -> tuple[str, Any] | None:
    """The next failure that is told within so many seconds; ranks that tell of their end are put in `ended`."""
    with suppress(queue.Empty):
        while True:
            kind, content = outcomes.get(timeout=seconds)
            if kind != "ended":
                return kind, content
            ended.add(content)
    return None


def _killed(processes: Sequence[BaseProcess], ended: set[int]) -> bool:
    return any(process.exitcode not in (None, 0) and rank not in ended for rank, process in enumerate(processes))


def _child(worker: Worker, arguments: tuple[Any, ...], rank: int, world: int, port: int, outcomes: Any, asked: Any) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}  # where torch's default group meets
    import torch

    torch.set_num_threads(max(1, cores() // world))
    try:
        worker(*arguments, rank, world, Stop(asked))
        if torch.distributed.is_initialized():  # else gloo's threads may still run when the interpreter ends, which aborts the process
            torch.distributed.destroy_process_group()
        outcomes.put(("ended", rank))
        outcomes.close()
        outcomes.join_thread()  # told before the interpreter goes down, where libraries' threads have been seen to abort the process
    except UserError as error:
        outcomes.put(("user", (error.message, error.where, error.remedy)))
    except Stopped:
        outcomes.put(("stopped", None))
    except BaseException:
        outcomes.put(("error", traceback.format_exc()))


def _exception(kind: str, content: Any) -> BaseException:
    if kind == "user":
        return UserError(*content)
    if kind == "stopped":
        return Stopped()
    if kind == "killed":
        return UserError("a training process was killed, perhaps for want of memory", "", "Lower `batch_size` or `devices`")
    return RuntimeError(str(content))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
