"""From options to a run folder: what never began leaves nothing, and no other run is written over."""

from __future__ import annotations

import errno
import json
import logging
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from repr.catalog.table import Catalog
from repr.catalog.union import with_split
from repr.errors import UserError
from repr.files import held
from repr.models.leaks import leaks
from repr.models.weights import read_weights
from repr.runs import Run
from repr.training import fit, run
from repr.training.launch import Killed
from repr.training.run import execute
from repr.training.stop import Stopped

pytestmark = pytest.mark.usefixtures("thin")

OPTIONS: dict[str, Any] = {"subset": None, "split": "grouped", "size": 16, "epochs": 1, "batch_size": 16, "device": "cpu"}


@pytest.fixture
def options(make_shop: Callable[..., Catalog], tmp_path: Path) -> dict[str, Any]:
    """The options of a small run on a catalog file."""
    make_shop(tmp_path / "shop").write(tmp_path / "shop.parquet")
    return OPTIONS | {"data": (str(tmp_path / "shop.parquet"),)}


@pytest.mark.parametrize(
    "change",
    [{"min_images": 999}, {"init": "none.pth"}, {"arch": "resnet50", "init": "imagenet"}, {"device": "cuda:99"}, {"views": "prodct"}],
)
def test_bad_input_leaves_no_run(options: dict[str, Any], tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        execute(options | change, out=tmp_path / "run", resume=False)
    assert not (tmp_path / "run").exists()


def test_split_none_trains_on_every_image_and_says_so(options: dict[str, Any], make_shop: Callable[..., Catalog], tmp_path: Path) -> None:
    """Those that the source keeps for validation too; the weights tell, and so does a check for leaks."""
    whole = make_shop(tmp_path / "whole", per_class=6, val=3)
    split = np.resize(np.array(["train", "val", "test"], dtype=object), len(whole))
    with_split(whole, split).write(tmp_path / "whole.parquet")
    arguments = options | {"data": (str(tmp_path / "whole.parquet"),)}
    done = execute(arguments | {"split": "none"}, out=tmp_path / "all", resume=False)
    weights = read_weights(done["weights"])
    record = weights.provenance.last
    assert record is not None
    (data,) = record.data
    assert data.trained.n == data.whole.n == len(whole) == 36 and data.held_out == 0 and data.division.split == "none"
    assert "every image, none held out" in weights.provenance.lines()[0] and record.settings["val_share"] == 0
    (leak,) = leaks([weights], whole)
    assert leak.kind == "seen" and leak.share == 1
    assert "val_acc" not in done["metrics"]
    (data,) = read_weights(execute(arguments, out=tmp_path / "part", resume=False)["weights"]).provenance.last.data  # type: ignore[union-attr]
    assert data.trained.n == 12 and data.held_out == 12


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_nothing_and_a_share_cannot_both_be_held_out(options: dict[str, Any], tmp_path: Path, share: float) -> None:
    with pytest.raises(UserError, match=f"a share of {share} is to be held out, and `split` none trains on every image"):
        execute(options | {"split": "none", "val_share": share}, out=tmp_path / "run", resume=False)
    with pytest.raises(UserError, match="data_seed: would do nothing"):
        execute(options | {"split": "none", "data_seed": 1}, out=tmp_path / "run", resume=False)
    assert not (tmp_path / "run").exists()


def test_a_wrong_device_is_told_before_images_are_decoded(options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "prepare", lambda *_, **__: pytest.fail("decoded first"))
    with pytest.raises(UserError, match="cuda:99"):
        execute(options | {"device": "cuda:99"}, out=tmp_path / "run", resume=False)


def test_lone_classes_are_told_before_images_are_decoded(
    options: dict[str, Any], make_shop: Callable[..., Catalog], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_shop(tmp_path / "lone", per_class=1).write(tmp_path / "lone.parquet")
    monkeypatch.setattr("repr.training.prepare.make_pack", lambda *_, **__: pytest.fail("decoded first"))
    with pytest.raises(UserError, match=r"and 3 more classes[)] has one training image, and supcon pairs"):
        execute(options | {"data": (str(tmp_path / "lone.parquet"),), "method": "supcon"}, out=tmp_path / "run", resume=False)


def test_a_folder_of_the_users_is_left_where_it_was(options: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(UserError):
        execute(options | {"min_images": 999}, out=tmp_path / "mine", resume=False)
    assert list((tmp_path / "mine").iterdir()) == []


def test_two_processes_do_not_write_one_run(options: dict[str, Any], tmp_path: Path) -> None:
    with held(tmp_path / "run"), pytest.raises(UserError, match="another process is writing here"):
        execute(options, out=tmp_path / "run", resume=False)
    assert not (tmp_path / "run").exists()


def test_a_finished_run_is_not_gone_on_with_otherwise(options: dict[str, Any], tmp_path: Path) -> None:
    done = execute(options, out=tmp_path / "run", resume=False)
    assert execute(options, out=tmp_path / "run", resume=True) == done
    with pytest.raises(UserError, match=r"this run is finished, and what is asked for differs [(]epochs was 1[)]"):
        execute(options | {"epochs": 50}, out=tmp_path / "run", resume=True)


def test_a_finished_run_may_be_moved(options: dict[str, Any], tmp_path: Path) -> None:
    done = execute(options, out=tmp_path / "run", resume=False)
    (tmp_path / "run").rename(tmp_path / "moved")
    moved = execute(options, out=tmp_path / "moved", resume=True)
    assert moved == {**done, "run": str(tmp_path / "moved"), "weights": str(tmp_path / "moved" / "weights.safetensors")}


def test_weights_are_not_written_over_though_the_checkpoint_is_gone(options: dict[str, Any], tmp_path: Path) -> None:
    execute(options, out=tmp_path / "run", resume=False)
    shutil.rmtree(tmp_path / "run" / "checkpoint")
    with pytest.raises(UserError, match="holds a run already"):
        execute(options | {"seed": 5}, out=tmp_path / "run", resume=False)


def test_a_run_of_another_command_is_not_written_over(options: dict[str, Any], tmp_path: Path) -> None:
    Run.create(tmp_path / "run", "rpc_transfer run", {}, data="shop", synthetic=False).finish("done", {"rows": []})
    before = (tmp_path / "run" / "config.json").read_bytes()
    for resume in (False, True):
        with pytest.raises(UserError, match="holds a run of `rpc_transfer run`"):
            execute(options, out=tmp_path / "run", resume=resume)
    assert (tmp_path / "run" / "config.json").read_bytes() == before


@pytest.mark.parametrize("where", ["the estimate", "the first step"])
def test_ctrl_c_does_not_wait_for_what_loses_nothing(
    options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Steps of a large network may take minutes, and nobody knows yet whether they do."""

    def pressed(*_: Any, **__: Any) -> float:
        signal.raise_signal(signal.SIGINT)
        pytest.fail("went on")

    if where == "the estimate":
        logging.getLogger("repr.training.fit").setLevel(logging.INFO)  # `_no_estimate` sets it back
        monkeypatch.setattr(fit, "seconds_a_step", pressed)
    else:
        monkeypatch.setattr("repr.methods.supervised.Supervised.loss", pressed)
    with pytest.raises(Stopped, match="no checkpoint yet"):
        execute(options, out=tmp_path / "run", resume=False)
    assert not (tmp_path / "run").exists()


def test_a_disk_that_fills_up_names_the_file_that_did_not_fit(
    options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(name: str) -> Callable[..., None]:
        def fail(*_: Any, **__: Any) -> None:
            raise OSError(errno.ENOSPC, "No space left on device", name)

        return fail

    monkeypatch.setattr(fit, "train", full("last.pt"))
    monkeypatch.setattr(Run, "finish", full("config.json"))
    with pytest.raises(OSError, match=r"last\.pt"):
        execute(options, out=tmp_path / "run", resume=False)


def test_processes_of_a_launcher_need_one_folder_to_write_to(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=r"out: processes that train together write to one run folder"):
        execute(options, out=None, resume=False)


def test_a_folder_that_holds_a_run_is_refused_before_processes_are_started(
    options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(options, out=tmp_path / "run", resume=False)
    monkeypatch.setattr(run, "launch", lambda *_: pytest.fail("started"))
    with pytest.raises(UserError, match="holds a run already"):
        execute(options | {"devices": 2}, out=tmp_path / "run", resume=False)


@pytest.mark.parametrize("kept", [False, True])
def test_a_run_whose_process_was_killed_starts_again_only_from_a_checkpoint_and_only_so_often(
    options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    started = []

    def killed(devices: int, command: list[str]) -> None:
        started.append((devices, json.loads(Path(command[-1]).read_text())["resume"]))
        if kept:
            (tmp_path / "run" / "checkpoint").mkdir(parents=True, exist_ok=True)
            (tmp_path / "run" / "checkpoint" / "last.pt").touch()
        raise Killed("a training process was killed")

    monkeypatch.setattr(run, "launch", killed)
    with pytest.raises(UserError, match="was killed"):
        execute(options | {"devices": 2}, out=tmp_path / "run", resume=False)
    assert started == ([(2, False)] + [(2, True)] * run.RESTARTS if kept else [(2, False)])


def test_a_process_is_started_with_the_function_that_it_is_to_call(
    options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program that `launch` is given is run here, on a function of our own: it reads the job, with our modules in their places."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "ours.py").write_text("import pathlib\ndef go(job):\n    pathlib.Path(job).with_name('called').write_text(job)\n")
    jobs: list[dict[str, Any]] = []

    def started(devices: int, command: list[str]) -> None:
        subprocess.run([sys.executable, *command], check=True, cwd=tmp_path)
        job = Path(command[-1])
        assert job.with_name("called").read_text() == str(job)
        jobs.append(json.loads(job.read_text()))
        raise Killed("enough")

    monkeypatch.syspath_prepend(tmp_path / "mine")
    monkeypatch.setattr(run, "launch", started)
    with pytest.raises(UserError, match="enough"):
        execute(options | {"devices": 2}, out=tmp_path / "run", resume=False, part="ours:go")
    (job,) = jobs
    assert job["arguments"]["devices"] == 2 and job["out"] == str(tmp_path / "run") and job["resume"] is False


def test_a_process_leaves_word_of_what_it_fails_of(options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = tmp_path / "job.json"
    job.write_text(json.dumps({"arguments": options | {"min_images": 999}, "out": str(tmp_path / "run"), "resume": False}))
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(tmp_path / "error.json"))
    with pytest.raises(UserError, match="no class has 999 training images"):
        run.part(str(job))
    assert json.loads((tmp_path / "error.json").read_text())["error"]["remedy"] == "Lower `min_images`"
