"""This process as one of several that train together: what torch's launcher says of it, and what it tells the launcher at its end.

The launcher (torchrun, or `repr.training.launch`) says in the environment which process this is. When one fails, its launcher reads
the reason from a file that the environment names; see https://pytorch.org/docs/stable/elastic/errors.html.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from repr.errors import UserError

OURS = "repr"  # the role of the processes that `repr.training.launch` starts
LAUNCHER = "REPR_LAUNCHER"  # its process id
SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux' <sys/prctl.h>


@dataclass(frozen=True)
class Worker:
    """rank: of `world` processes on all machines; local_rank: of the `local_world` on this one. restarts: how often it was started anew."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    local_world: int = 1
    restarts: int = 0


def here() -> Worker:
    """What the environment says of this process; the only one where it says nothing."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "TORCHELASTIC_RESTART_COUNT")
    rank, world, local_rank, local_world, restarts = (int(os.environ.get(name) or "SIZE" in name) for name in names)
    return Worker(rank, world, local_rank, local_world, restarts)


def launched() -> bool:
    """Whether a launcher waits for this process to end, and reads why."""
    return "TORCHELASTIC_ERROR_FILE" in os.environ


def speaks() -> bool:
    """Whether this process itself says how it ended: the first does, unless our own launcher does, which knows of all."""
    return here().rank == 0 and os.environ.get("ROLE_NAME") != OURS


def record(text: str, error: UserError | None = None) -> None:
    """Leave word for the launcher, if there is one, of what this process fails of: a line, or a traceback. error: to be raised there."""
    if file := os.environ.get("TORCHELASTIC_ERROR_FILE"):
        now = time.time()
        message = {"message": text, "extraInfo": {"py_callstack": text, "timestamp": str(int(now))}}
        Path(file).write_text(json.dumps({"message": message, "time": now, "error": vars(error) if error else None}), encoding="utf-8")


@contextmanager
def leaving_word() -> Iterator[None]:
    """Meanwhile what goes wrong is also recorded for the launcher."""
    try:
        yield
    except UserError as error:
        record(str(error), error)
        raise
    except Exception:
        record(traceback.format_exc())
        raise


def follow_parent(number: signal.Signals) -> None:
    """Have the system send this process a signal when the process that started it ends, however it does. On Linux; else nothing."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl:
        prctl(SET_PARENT_DEATH_SIGNAL, int(number))


def orphaned() -> bool:
    """Whether our launcher, which names itself in the environment, has ended already."""
    parent = str(os.getppid())
    return os.environ.get(LAUNCHER, parent) != parent
