"""Runs of two processes: the same weights whoever starts them, whatever interrupts them, and those of one process where they can be."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from repr.catalog.table import Catalog
from repr.files import held
from repr.runs import Run
from repr.training import checkpoint
from repr.training.run import execute
from repr.training.stop import Stopped

pytestmark = pytest.mark.slow

OPTIONS: dict[str, Any] = {"size": 16, "epochs": 4, "batch_size": 16, "device": "cpu", "ema": 0.9}
EXACT = ("epoch", "step", "loss", "train_acc", "val_acc", "lr")


@pytest.fixture(scope="module")
def options(shop: Catalog, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The options of `execute` for a small run of two processes on a catalog file."""
    file = tmp_path_factory.mktemp("data") / "shop.parquet"
    shop.write(file)
    return OPTIONS | {"data": [str(file)], "subset": None, "split": "grouped", "devices": 2}


def typed(options: dict[str, Any], out: Path) -> list[str]:
    """The same as a command, for torchrun."""
    words = {name.replace("_", "-"): str(value) for name, value in (OPTIONS | {"data": options["data"][0], "out": out}).items()}
    return ["-m", "repr", "pretrain", "--json", *(word for name, value in words.items() for word in (f"--{name}", value))]


@pytest.fixture(scope="module")
def undisturbed(options: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of two processes that nothing has interrupted."""
    path = tmp_path_factory.mktemp("runs") / "undisturbed"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        result = execute(options, out=path, resume=False)
    assert result["metrics"]["step"] == 16 and Run.open(path).config["status"] == "done"
    return path


def same(one: Path, two: Path) -> bool:
    """Whether two runs ended with the same bits and the same figures of every epoch."""
    a, b = (load_file(path / "weights.safetensors") for path in (one, two))
    rows = [[[row[name] for name in EXACT] for row in Run.open(path).metrics()] for path in (one, two)]
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a) and rows[0] == rows[1]


def once_saved(programs: Any, out: Path, act: Callable[[], None]) -> None:
    """Do something, from another thread, as soon as the run has a checkpoint."""

    def wait() -> None:
        programs.until((out / checkpoint.FILE).exists)
        act()

    threading.Thread(target=wait, daemon=True).start()


def test_stopped_by_ctrl_c_they_go_on_as_if_they_had_not_been(
    programs: Any, options: dict[str, Any], undisturbed: Path, tmp_path: Path
) -> None:
    """They stop at the same step, leave a whole checkpoint, and the figures of a part of an epoch are of both."""
    out = tmp_path / "parts"
    once_saved(programs, out, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(Stopped, match=f"Go on with: repr pretrain --resume --out {out}"):
        execute(options, out=out, resume=False)
    saved = checkpoint.load(out)
    assert saved is not None and 4 <= saved.step < 16 and Run.open(out).config["status"] == "stopped"
    assert {file.name for file in (out / "checkpoint").iterdir()} == {"last.pt"} and not (out / "weights.safetensors").exists()
    execute(options, out=out, resume=True)
    assert same(out, undisturbed)


@pytest.mark.parametrize("rank", [0, 1])
def test_when_one_is_killed_all_start_again_from_the_checkpoint_and_end_the_same(
    programs: Any, options: dict[str, Any], undisturbed: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], rank: int
) -> None:
    out = tmp_path / "run"
    once_saved(programs, out, lambda: os.kill(programs.workers("job.json")[rank], signal.SIGKILL))
    result = execute(options, out=out, resume=False, part="repr.cli.pretrain_part:main")  # as the command does it
    stderr = capfd.readouterr().err
    assert "a training process was killed" in stderr and "Starting again from the checkpoint (1 of 3 times)" in stderr
    assert "Going on from step" in stderr and "Traceback" not in stderr
    assert same(out, undisturbed) and result["metrics"]["step"] == 16
    with held(out):  # nobody holds the folder any more
        pass


@pytest.mark.parametrize("killed", [False, True])
def test_two_machines_end_as_two_devices_do_even_if_a_process_is_killed(
    programs: Any, options: dict[str, Any], undisturbed: Path, tmp_path: Path, killed: bool
) -> None:
    out = tmp_path / "run"
    if killed:
        once_saved(programs, out, lambda: os.kill(programs.workers("-m repr pretrain")[-1], signal.SIGKILL))
    nodes = programs.nodes(*typed(options, out), restarts=3)
    outputs = [node.communicate(timeout=900) for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], outputs
    printed = [text for text, _ in outputs if text]
    assert len(printed) == 1 and json.loads(printed[0])["weights"] == str(out / "weights.safetensors")
    assert same(out, undisturbed)


# Where every image is seen alike whichever process sees it, and no norm looks at a part of the batch, two processes are one.
ALIKE = """
import torch
from repr import cli
from repr.images.views import plain
from repr.training import fit

def build(*arguments, made=fit.build_method):
    method = made(*arguments)
    for module in method.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval().train = lambda mode=True, module=module: module
    return method

fit.build_method = build
fit.preset = lambda name, size: lambda pixels, generator: plain(pixels, size)
cli.main()
"""


def test_two_machines_train_as_one_process_does_on_the_whole_batch(programs: Any, options: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "alike.py").write_text(ALIKE)
    command = [str(tmp_path / "alike.py"), *typed(options, tmp_path / "one")[2:], "--lr", "0.001"]
    alone = programs.start(*command)
    assert alone.communicate(timeout=600) and alone.returncode == 0
    nodes = programs.nodes(*(word if word != str(tmp_path / "one") else str(tmp_path / "two") for word in command))
    outputs = [node.communicate(timeout=900) for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], outputs
    one, two = (load_file(tmp_path / name / "weights.safetensors") for name in ("one", "two"))
    torch.testing.assert_close(two, one, rtol=1e-4, atol=1e-6)
    losses = [[float(row["loss"]) for row in Run.open(tmp_path / name).metrics()] for name in ("one", "two")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4) and losses[0][-1] < losses[0][0]
