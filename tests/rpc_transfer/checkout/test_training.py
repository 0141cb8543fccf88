"""A detector's training: what it is given, what it measures, and that stopped and gone on is the same to the last bit."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from repr.catalog.sources import open_data
from repr.checkout.detector import read_detector
from repr.checkout.proposal import Proposal
from repr.errors import UserError
from repr.training.stop import Stopped
from rpc_transfer.checkout import loop as loops
from rpc_transfer.checkout.augment import KEPT, augmented
from rpc_transfer.checkout.finding import finding
from rpc_transfer.checkout.material import held_out, read_scenes
from rpc_transfer.checkout.settings import Scenes, Training
from rpc_transfer.checkout.synthesis import synthesize
from rpc_transfer.checkout.training import started_with, train
from rpc_transfer.checkout.training_report import write
from rpc_transfer.cli import group

SMALL = Training(arch="resnet18", side=64, epochs=2, batch_size=3, val_share=0.2, device="cpu", workers=1)


@pytest.fixture(scope="module")
def scenes(turntable: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scenes") / "out"
    synthesize(out, [turntable], Scenes(scenes=9, side=96, exemplars=2), workers=1)
    return out


@pytest.fixture(scope="module")
def whole(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "whole"
    learnt = train([scenes], SMALL, out)
    assert (learnt.scenes, learnt.watched, learnt.passed_over) == (7, 2, ())
    return out


def test_a_run_leaves_a_detector_a_page_and_numbers(whole: Path, scenes: Path) -> None:
    trained = read_detector(whole)
    assert trained.build.side == 64 and trained.build.classes == () and trained.name == "whole"
    (record,) = trained.provenance.records
    assert record.method == "detector: FCOS" and record.data[0].trained.n == 9 and record.settings["epochs"] == 2
    page = write(whole).read_text()
    assert "How it went" in page and "What it finds" in page
    config = json.loads((whole / "config.json").read_text())
    assert config["status"] == "done" and set(config["result"]) >= {"ap", "recall", "threshold"}
    with pytest.raises(UserError, match="holds a run already"):
        train([scenes], SMALL, whole)


def test_stopped_and_gone_on_it_is_the_same(whole: Path, scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    once, step = list[int](), loops.Loop.step

    def stopping(loop: loops.Loop, seen: Sequence[loops.View]) -> None:
        step(loop, seen)
        if loop.done == 2 and not once:
            once.append(loop.done)
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(loops.Loop, "step", stopping)
    with pytest.raises(Stopped, match="--resume"):
        train([scenes], SMALL, tmp_path / "run")
    data, settings = started_with(tmp_path / "run", device="cpu", workers=1)
    assert data == (str(scenes),)
    with pytest.raises(UserError, match="other settings"):
        train(data, Training(arch="resnet18", side=64, epochs=3, batch_size=3, val_share=0.2), tmp_path / "run", resume=True)
    train(data, settings, tmp_path / "run", resume=True)
    first, second = (load_file(folder / "detector.safetensors") for folder in (whole, tmp_path / "run"))
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
    rows = [(folder / "metrics.csv").read_text().splitlines() for folder in (whole, tmp_path / "run")]
    assert [row.rsplit(",", 1)[0] for row in rows[0]] == [row.rsplit(",", 1)[0] for row in rows[1]], "but for the seconds"


def test_scenes_are_read_with_their_boxes(scenes: Path, tmp_path: Path) -> None:
    found = read_scenes(open_data([scenes]).in_split("train"), 48, tmp_path, classes=("1", "2", "3", "5", "8"))
    content = json.loads((scenes / "instances_train2019.json").read_text())
    assert len(found) == 9 and sum(map(len, found.boxes)) == len(content["annotations"]) and list(tmp_path.iterdir()) == []
    name = found.files[4].name
    (image,) = [one["id"] for one in content["images"] if one["file_name"] == name]
    true = [one for one in content["annotations"] if one["image_id"] == image]
    x, y, w, h = np.array([one["bbox"] for one in true]).T / 2
    assert np.allclose(sorted(found.boxes[4].tolist()), sorted(np.column_stack([x, y, x + w, y + h]).tolist()))
    assert sorted(found.classes[label] for label in found.labels[4]) == sorted(str(one["category_id"]) for one in true)
    learn, watch = held_out(found, 0.3, np.random.default_rng(0))
    assert (len(learn), len(watch)) == (6, 3) and set(learn.files) | set(watch.files) == set(found.files)


def test_what_cannot_be_used_is_counted(turntable: Path, scenes: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    (copy / "train2019").mkdir(parents=True)
    content = json.loads((scenes / "instances_train2019.json").read_text())
    for image in content["images"][1:]:
        (copy / "train2019" / image["file_name"]).write_bytes((scenes / "train2019" / image["file_name"]).read_bytes())
    content["annotations"][-1]["bbox"][2] = 0
    (copy / "instances_train2019.json").write_text(json.dumps(content))
    found = read_scenes(open_data([copy]).in_split("train"), 32, tmp_path)
    assert len(found) == 8 and sum(one.count for one in found.passed_over) + sum(one.count for one in open_data([copy]).passed_over) >= 2, (
        "a scene that is missing, a box without an area"
    )
    with pytest.raises(UserError, match="few to hold"):
        held_out(found, 0.95, np.random.default_rng(0))


@pytest.mark.parametrize("seed", range(6))
def test_boxes_go_where_the_pixels_go(seed: int) -> None:
    square = np.full((64, 64, 3), 40, np.uint8)
    square[10:30, 20:50] = 250
    view, boxes, labels = augmented(
        torch.from_numpy(square), np.array([[20, 10, 50, 30]], np.float32), np.array([3], np.int64), np.random.default_rng(seed)
    )
    bright = (view.mean(0) > view.mean(0).median() + 0.2).numpy()
    if not len(boxes):
        assert bright.mean() < KEPT
        return
    x0, y0, x1, y1 = boxes[0].tolist()
    rows, columns = np.flatnonzero(bright.any(1)), np.flatnonzero(bright.any(0))
    assert [x0, y0, x1, y1] == pytest.approx([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], abs=2) and labels.tolist() == [3]


def test_finding_by_hand() -> None:
    true = np.array([[0, 0, 10, 10], [20, 0, 10, 10], [40, 0, 10, 10.0]])
    boxes = [Proposal((0, 0, 10, 10), 0.9), Proposal((1, 0, 10, 10), 0.8), Proposal((20, 1, 10, 10), 0.7), Proposal((70, 0, 9, 9), 0.2)]
    found = finding([(boxes, true)])
    assert found.recall == pytest.approx(2 / 3) and found.precision == pytest.approx(2 / 3) and found.threshold == pytest.approx(0.45)
    assert found.ap == pytest.approx(1 / 3 + 2 / 3 / 3), "precision 1 up to recall 1/3, then 2/3"
    assert finding([([], true)]).recall == 0 and finding([(boxes, true[:0])]).ap == 0


def test_the_command_says_what_it_found(scenes: Path, tmp_path: Path) -> None:
    words = ["checkout", "train", "--data", str(scenes), "--arch", "resnet18", "--side", "64", "--epochs", "1", "--batch-size", "4"]
    words += ["--per-class", "--device", "cpu", "--workers", "1", "--out", str(tmp_path / "run"), "--json"]
    told = json.loads(CliRunner().invoke(group, words, standalone_mode=False, catch_exceptions=False).stdout)
    assert told["scenes"] == 7 and set(told) >= {"ap", "recall", "precision", "threshold", "detector", "passed_over", "schema"}
    assert read_detector(tmp_path / "run").build.classes == ("1", "2", "3", "5", "8")
    with pytest.raises(UserError, match="no scenes named"):
        CliRunner().invoke(group, ["checkout", "train"], standalone_mode=False, catch_exceptions=False)
    with pytest.raises(UserError, match="multiple of 32"):
        Training(side=100)
