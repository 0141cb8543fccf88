"""Several processes: what one says is said, one that is killed is told, and Ctrl-C reaches all."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from repr.errors import UserError
from repr.training.launch import launch
from repr.training.stop import Stop


def refuses(rank: int, world: int, stop: Stop) -> None:
    if rank == 1:
        raise UserError("the second cannot", "there", "")


def is_killed(rank: int, world: int, stop: Stop) -> None:
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def falls_when_done(rank: int, world: int, stop: Stop) -> None:
    """As libraries' threads that outlive the interpreter have done."""
    atexit.register(os.abort)


def test_work_that_is_done_is_no_failure_however_its_process_ends() -> None:
    launch(2, falls_when_done)


@pytest.mark.parametrize(("worker", "words"), [(refuses, "there: the second cannot"), (is_killed, "a training process was killed")])
def test_what_goes_wrong_in_one_is_told(worker: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        launch(2, worker)


WAITING = """
import time
from repr.training.launch import launch
from repr.training.stop import Stopped

def waits_to_be_told(rank, world, stop):
    print("begun", flush=True)
    while not stop.requested:
        time.sleep(0.05)
    raise Stopped

if __name__ == "__main__":
    print("ready", flush=True)
    try:
        launch(2, waits_to_be_told)
    except Stopped:
        print("stopped")
"""


@pytest.mark.parametrize(("when", "number"), [("ready", signal.SIGINT), ("begun", signal.SIGINT), ("begun", signal.SIGTERM)])
def test_a_signal_to_all_stops_all_at_any_time(tmp_path: Path, when: str, number: signal.Signals) -> None:
    """A terminal or a service manager sends it to the whole group, also to those that still import; none may end in a traceback."""
    (tmp_path / "waiting.py").write_text(WAITING)
    command = [sys.executable, str(tmp_path / "waiting.py")]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, start_new_session=True, **pipes) as program:
        assert program.stdout is not None
        while when not in program.stdout.readline():
            pass
        time.sleep(0.3)  # the processes are started by now, and busy with imports
        os.killpg(program.pid, number)
        said, errors = program.communicate(timeout=60)
    assert said.splitlines()[-1] == "stopped" and "Traceback" not in errors
