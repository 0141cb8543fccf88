"""Several processes: what one says is said, one that is killed is told, Ctrl-C reaches all, and none is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

from repr import worker
from repr.catalog.table import Catalog
from repr.errors import UserError
from repr.training.launch import TOGETHER, Killed, cause, launch
from repr.training.stop import Stopped

WORKER = """
import atexit, os, signal, sys, time
import click
from repr import console, worker
from repr.errors import UserError

@click.command()
@click.argument("words", nargs=-1)
def command(words):
    here = worker.here()
    what = words[here.rank]
    if what == "refuse":
        raise UserError("the second cannot", "there", "Lower `devices`", argument="size")
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "fail":
        raise ValueError("a fault of ours")
    if what == "fall":  # as libraries' threads that outlive the interpreter have done
        atexit.register(os.abort)
    if what == "wait":
        time.sleep(600)
    if what == "place":
        print(here, flush=True)

console.run(command, "repr")
"""


@pytest.fixture
def script(tmp_path: Path, programs: Any) -> str:
    """A program whose process of rank n does what its n-th word says."""
    (tmp_path / "part.py").write_text(WORKER)
    return str(tmp_path / "part.py")


def test_each_process_learns_its_place(script: str, capfd: pytest.CaptureFixture[str]) -> None:
    launch(2, [script, "place", "place"])
    lines = sorted(capfd.readouterr().out.splitlines())
    assert lines == [str(worker.Worker(rank, 2, rank, 2, 0)) for rank in (0, 1)]


def test_work_that_is_done_is_no_failure_however_its_process_ends(script: str) -> None:
    launch(2, [script, "fall", "fall"])


@pytest.mark.parametrize("words", [("refuse", "wait"), ("wait", "refuse")])
def test_what_a_user_can_mend_is_told_as_it_was_raised_and_the_others_are_ended(
    script: str, words: tuple[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError) as raised:
        launch(2, [script, *words])
    assert vars(raised.value) == {"message": "the second cannot", "where": "there", "remedy": "Lower `devices`", "argument": "size"}
    assert capfd.readouterr() == ("", "")  # whoever catches it says it


def test_a_killed_process_is_told(script: str) -> None:
    with pytest.raises(Killed, match="a training process was killed"):
        launch(2, [script, "wait", "die"])


def test_a_fault_of_ours_comes_with_its_traceback(script: str) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)Traceback.*ValueError: a fault of ours"):
        launch(2, [script, "fail", "wait"])


def failure(folder: Path, rank: int, exitcode: int, error: Exception | None, at: float) -> ProcessFailure:
    """What torch's launcher makes of a process that ended with `exitcode` at a time in seconds, and left word of `error`, if any."""
    file = folder / f"{rank}.json"
    if error is not None:
        fields = vars(error) if isinstance(error, UserError) else None
        message = {"message": repr(error), "extraInfo": {"timestamp": str(int(at))}}
        file.write_text(json.dumps({"message": message, "time": at, "error": fields}))
    failed = ProcessFailure(local_rank=rank, pid=rank, exitcode=exitcode, error_file=str(file))
    failed.timestamp = int(at)
    return failed


def test_the_cause_is_what_came_first_and_not_what_followed(tmp_path: Path) -> None:
    lost = RuntimeError("Connection closed by peer")
    killed = [failure(tmp_path, 0, 1, lost, 100.2), failure(tmp_path, 1, -9, None, 100)]
    assert isinstance(cause(killed), Killed)
    failed = [failure(tmp_path, 2, 1, lost, 100.9), failure(tmp_path, 3, 1, ValueError("ours"), 100.3)]
    assert "ours" in str(cause(failed))
    late = [failure(tmp_path, 4, 1, ValueError("ours"), 100), failure(tmp_path, 5, -9, None, 101 + TOGETHER)]  # killed for not ending
    assert "ours" in str(cause(late))
    failures = [failure(tmp_path, 6, 1, lost, 100.1), failure(tmp_path, 7, 2, UserError("mend it"), 100.4)]
    assert str(cause(failures)) == "mend it."
    assert isinstance(cause([failure(tmp_path, 8, 130, None, 100), failure(tmp_path, 9, -15, None, 100)]), Stopped)


WAITING = """
import os, signal, sys, time
from repr import worker

if worker.launched():
    from repr.training.stop import Stop
    worker.follow_parent(signal.SIGTERM)  # as in `repr.training.team`
    if worker.orphaned():
        sys.exit(130)
    with Stop() as stop:
        os.write(1, b"begun\\n")  # whole, whatever the other one writes
        while not (stop.requested and sys.argv[1] == "polite"):
            time.sleep(0.05)
    sys.exit(130)

from repr.training.launch import launch
from repr.training.stop import Stopped
print("ready", flush=True)
try:
    launch(2, sys.argv)
except Stopped:
    print("stopped")
"""


def waiting(programs: Any, when: str, manner: str = "polite") -> subprocess.Popen[str]:
    """A program of two processes that wait to be stopped; returned when it has said `when` twice (or "ready" once)."""
    (programs.folder / "waiting.py").write_text(WAITING)
    program: subprocess.Popen[str] = programs.start(str(programs.folder / "waiting.py"), manner)
    assert program.stdout is not None
    for _ in range(1 if when == "ready" else 2):
        while when not in program.stdout.readline():
            assert program.poll() is None
    if when == "ready":
        programs.until(lambda: len(programs.workers("waiting.py")) == 3)  # they are started, and busy with imports
    return program


@pytest.mark.parametrize(("when", "number"), [("ready", signal.SIGINT), ("begun", signal.SIGINT), ("begun", signal.SIGTERM)])
def test_a_signal_to_all_stops_all_at_any_time(programs: Any, when: str, number: signal.Signals) -> None:
    """A terminal or a service manager sends it to the whole group, also to those that still import; none may end in a traceback."""
    with waiting(programs, when) as program:
        os.killpg(program.pid, number)
        stdout, errors = program.communicate(timeout=120)
    assert "stopped" in stdout.splitlines() and "Traceback" not in errors


def test_a_second_ctrl_c_ends_at_once_those_that_do_not(programs: Any) -> None:
    with waiting(programs, "begun", "deaf") as program:
        program.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            program.communicate(timeout=2)
        assert len(programs.workers("waiting.py")) == 3
        program.send_signal(signal.SIGINT)
        stdout, errors = program.communicate(timeout=120)
    assert stdout.splitlines()[-1] == "stopped" and "Traceback" not in errors
    programs.until(lambda: not programs.running())


def test_none_outlives_a_launcher_that_is_killed(programs: Any) -> None:
    with waiting(programs, "begun") as program:
        program.kill()
        program.communicate(timeout=120)
    programs.until(lambda: not programs.running())


@pytest.fixture
def typed(shop: Catalog, tmp_path: Path) -> list[str]:
    """`python -m repr pretrain` with the options of a run of two processes on a catalog file."""
    shop.write(tmp_path / "shop.parquet")
    options = {"data": str(tmp_path / "shop.parquet"), "size": "16", "batch-size": "16", "epochs": "2", "device": "cpu", "devices": "2"}
    return ["-m", "repr", "pretrain", "--json", *(word for name, value in options.items() for word in (f"--{name}", value))]


@pytest.mark.slow
def test_two_processes_say_and_write_all_once(programs: Any, typed: list[str], tmp_path: Path) -> None:
    program = programs.start(*typed, "--method", "moco", "--out", str(tmp_path / "run"))
    stdout, errors = program.communicate(timeout=600)
    result = json.loads(stdout)
    assert program.returncode == 0 and result["metrics"]["step"] == 8 and result["weights"] == str(tmp_path / "run" / "weights.safetensors")
    assert [errors.count(words) for words in ("moco: resnet18", "Estimate", "epoch 1/2, loss", "Traceback", "Warning: torch")][:2] == [1, 1]
    assert errors.count("normalises over its own part") == 1 and "Traceback" not in errors and "W1" not in errors
    written = {"config.json", "environment.json", "metrics.csv", "views.png", "weights.safetensors", "checkpoint", "report.html"}
    assert {file.name for file in (tmp_path / "run").iterdir()} - {"warnings.csv"} == written


@pytest.mark.slow
def test_what_a_process_refuses_is_one_line_and_exit_code_2(programs: Any, typed: list[str], tmp_path: Path) -> None:
    program = programs.start(*typed, "--min-images", "999", "--out", str(tmp_path / "run"))
    out, errors = program.communicate(timeout=600)
    assert json.loads(out)["error"] == {
        "message": "no class has 999 training images",
        "where": "squares",
        "remedy": "Lower --min-images",
    }
    assert program.returncode == 2 and errors.splitlines()[-1] == "Error: squares: no class has 999 training images. Lower --min-images."
    assert "Traceback" not in errors and not (tmp_path / "run").exists()
