"""The page of a pretraining: what it says of runs with and without accuracies, and without an epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path

import pytest

from repr.commands import command_line
from repr.models.provenance import Data, Images, Provenance, Record
from repr.models.weights import fresh, write_weights
from repr.reports import training_report
from repr.runs import Run

pytestmark = pytest.mark.usefixtures("thin")


def test_training_report(tmp_path: Path, pretraining: Callable[..., Path]) -> None:
    run = Run.open(pretraining(tmp_path / "run", init="imagenet"))
    html = training_report.write(run).read_text(encoding="utf-8")
    assert "from <code>imagenet</code>" in html and html.count("<svg") >= 2
    assert "50.0 %" in html and "accuracy on held-out images" not in html
    assert all(escape(line, quote=False) in html for line in training_report.next_commands(run))
    again = command_line("repr pretrain", config=run.path / "config.json")
    assert f"Once more: <code>{again}</code>" in html


def test_it_shows_what_was_in_force_and_how_the_weights_came_about(tmp_path: Path, pretraining: Callable[..., Path]) -> None:
    run = Run.open(pretraining(tmp_path / "run", lr=None))
    run.resolve({"lr": 0.0625})
    assert "How the weights came about" not in training_report.write(run).read_text(encoding="utf-8")
    record = Record("simclr", data=(Data("a → b", Images(3), Images(4)),), settings={"lr": 0.0625})
    write_weights(run.path / "weights.safetensors", replace(fresh("resnet18", 32, 0), provenance=Provenance.of(record)))
    html = training_report.write(run).read_text(encoding="utf-8")
    assert "simclr on &#x27;a → b&#x27; (3 of 4 images): lr 0.0625" in html
    assert "<td><code>lr</code></td><td>0.0625</td>" in html


def test_training_report_shows_accuracy_by_class_means_in_per_cent(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", "repr pretrain", {"method": "simclr"}, data="shop", synthetic=False)
    for epoch in (1, 2):
        run.log({"epoch": epoch, "loss": 1.0, "train_acc": "", "val_acc": "", "val_ncm": 0.3 * epoch})
    html = training_report.write(run).read_text(encoding="utf-8")
    assert "60.0 %" in html and html.count("<svg") == 2  # loss and accuracy


def test_training_report_of_a_run_without_an_epoch(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", "repr pretrain", {"method": "simclr"}, data="shop", synthetic=True)
    html = training_report.write(run).read_text(encoding="utf-8")
    assert "No epoch was finished" in html and "(synthetic)" in html


def test_a_run_that_failed_has_a_page_that_says_why_and_how_to_go_on(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", "repr pretrain", {"method": "simclr"}, data="shop", synthetic=False)
    run.log({"epoch": 1, "loss": 2.0})
    run.finish("failed", {"error": "the disk is full"})
    html = training_report.write(Run.open(run.path)).read_text(encoding="utf-8")
    assert "It failed" in html and "the disk is full" in html
    assert escape(command_line("repr pretrain", resume=True, out=run.path), quote=False) in html
    run.finish("stopped")
    assert "It was stopped before its end" in training_report.write(Run.open(run.path)).read_text(encoding="utf-8")
