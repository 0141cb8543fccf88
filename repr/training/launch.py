"""Several processes for several devices: started, watched and stopped together."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import socket
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from typing import Any

from repr.errors import UserError
from repr.training.stop import Stop, Stopped

GRACE = 10.0  # seconds the others have to end by themselves after one has ended badly

Worker = Callable[..., None]


def launch(world: int, worker: Worker, *arguments: Any) -> None:
    """Run `worker(*arguments, rank, world, stop)` in `world` processes of this machine, or in this one when `world` is 1.

    What a worker raises (UserError, Stopped, anything else with its traceback) is raised here, after all have ended.
    Ctrl-C reaches every worker as `stop.requested`.
    """
    if world == 1:
        with Stop() as stop:
            worker(*arguments, 0, 1, stop)
        return
    context = multiprocessing.get_context("spawn")
    outcomes = context.Queue()
    port = _free_port()
    processes = [context.Process(target=_child, args=(worker, arguments, rank, world, port, outcomes)) for rank in range(world)]
    with Stop() as stop:
        for process in processes:
            process.start()
        try:
            failure = _await(processes, outcomes, stop)
        finally:
            for process in processes:
                if process.is_alive():
                    process.kill()
                process.join()
    if failure:
        raise _exception(*failure)


def _await(processes: Sequence[BaseProcess], outcomes: Any, stop: Stop) -> tuple[str, Any] | None:
    """Wait for all to end; the first that fails gives the reason, and the others GRACE seconds. Hands Ctrl-C on once."""
    failure: tuple[str, Any] | None = None
    deadline = float("inf")
    told = False
    while any(process.is_alive() for process in processes) and time.monotonic() < deadline:
        if stop.requested and not told:
            told = True
            for process in processes:
                if process.is_alive() and process.pid:
                    os.kill(process.pid, signal.SIGINT)
        try:
            outcome = outcomes.get(timeout=0.2)
        except queue.Empty:
            outcome = None
        died = any(process.exitcode not in (None, 0) for process in processes)
        if outcome is None and died:
            outcome = ("died", "a training process was killed (out of memory?)")
        if outcome is not None and failure is None:
            failure, deadline = outcome, time.monotonic() + GRACE
    while failure is None:
        try:
            failure = outcomes.get(timeout=0.5)
        except queue.Empty:
            break
    return failure


def _child(worker: Worker, arguments: tuple[Any, ...], rank: int, world: int, port: int, outcomes: Any) -> None:
    os.environ |= {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(world),
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "NODE_RANK": "0",
    }
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 1) // world))
    with Stop() as stop:
        try:
            worker(*arguments, rank, world, stop)
            if torch.distributed.is_initialized():  # else gloo's threads may still run when the interpreter ends, which aborts the process
                torch.distributed.destroy_process_group()
        except UserError as error:
            outcomes.put(("user", (error.message, error.where, error.remedy)))
        except (Stopped, KeyboardInterrupt):
            outcomes.put(("stopped", None))
        except BaseException:
            outcomes.put(("error", traceback.format_exc()))


def _exception(kind: str, content: Any) -> BaseException:
    if kind == "user":
        return UserError(*content)
    if kind == "stopped":
        return Stopped()
    return RuntimeError(str(content))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
