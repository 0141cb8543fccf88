"""Several processes on this machine, started, watched and stopped by torch's elastic launcher, which is what torchrun is too."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import threading
import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, launch_agent

from repr import worker
from repr.errors import UserError
from repr.training.stop import Stopped

PATIENCE = 3600  # seconds for the end of the step and the checkpoint after Ctrl-C, before all are killed (torch 2.11 allows 30)
INTERRUPTED = 130  # exit code
TOGETHER = 5  # seconds: what fails within them of the first failure may be its cause; torch kills the others after 30


class Killed(UserError):
    """A process was killed: it said nothing."""


def launch(n: int, command: Sequence[str]) -> None:
    """Run `python *command` in `n` processes until all have ended; each learns its rank from its environment (`repr.worker`).

    Raises what went wrong first: the UserError of a process, Killed, or RuntimeError with a traceback; the others are ended. Raises
    Stopped after Ctrl-C or SIGTERM, of which the processes, which see no signals of the terminal, are told by SIGTERM; a second one
    ends them at once, since they end with this process (`worker.follow_parent`).
    """
    with tempfile.TemporaryDirectory() as folder, _undisturbed():
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=n,
            run_id=uuid.uuid4().hex,
            role=worker.OURS,
            rdzv_backend="c10d",
            rdzv_endpoint="127.0.0.1:0",
            local_addr="127.0.0.1",
            max_restarts=0,  # torch would restart what a user has to mend, too
            logs_specs=DefaultLogsSpecs(log_dir=folder),
            signals_to_handle="SIGQUIT",  # of the others it would make exceptions that its own code may catch, and send on what it was sent
        )
        config.shutdown_timeout = PATIENCE
        try:
            launch_agent(config, sys.executable, list(command))
        except KeyboardInterrupt:
            raise Stopped from None
        except ChildFailedError as error:
            raise cause(error.failures.values()) from None


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Meanwhile SIGTERM is what Ctrl-C is, the launcher's own messages are left out, and its processes know who it is."""
    disabled, main = logging.root.manager.disable, threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGQUIT)} if main else {}
    logging.disable(logging.CRITICAL)
    os.environ[worker.LAUNCHER] = str(os.getpid())
    if main:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        logging.disable(disabled)
        del os.environ[worker.LAUNCHER]
        for number, handler in before.items():
            signal.signal(number, handler)


def cause(failures: Collection[ProcessFailure]) -> BaseException:
    """The exception for what went wrong first; the other processes failed for want of the one, or were ended by the launcher.

    What a user can mend comes first, then a process that was killed, then the first traceback. Where all were only told to end, Stopped.
    """
    begun = min(failure.timestamp for failure in failures)
    early = [failure for failure in failures if failure.timestamp <= begun + TOGETHER]
    contents = sorted((f.error_file_data for f in early if "time" in f.error_file_data), key=lambda content: float(content["time"]))
    for content in contents:
        if content["error"]:
            return UserError(**content["error"])
    if any(failure.exitcode < 0 and failure.exitcode != -signal.SIGTERM for failure in early):
        return Killed("a training process was killed, perhaps for want of memory", "", "Lower `batch_size` or `devices`")
    if contents:
        return RuntimeError(str(contents[0]["message"]["message"]))
    silent = [failure.exitcode for failure in early if failure.exitcode not in (INTERRUPTED, -signal.SIGTERM)]
    return RuntimeError(f"a training process ended with exit code {silent[0]} and left no word") if silent else Stopped()
