"""The run folder: rows of metrics are added whole or not at all, and a run that never began leaves nothing."""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repr import runs
from repr.errors import UserError
from repr.runs import Run, claim


def begun(path: Path) -> Run:
    return Run.create(path, "repr pretrain", {}, data="shop", synthetic=False)


def test_rows_of_different_kinds_alternate(tmp_path: Path) -> None:
    run = begun(tmp_path / "run")
    run.log({"epoch": 1, "loss": 0.5})
    run.log({"epoch": 2, "accuracy": 0.25})
    assert run.metrics() == [{"epoch": "1", "loss": "0.5", "accuracy": ""}, {"epoch": "2", "loss": "", "accuracy": "0.25"}]
    run.cut_metrics(1)
    assert [row["epoch"] for row in run.metrics()] == ["1"]
    run.cut_metrics(0)
    assert not (run.path / "metrics.csv").exists() and run.metrics() == []


def test_warnings_are_kept_up_to_a_step(tmp_path: Path) -> None:
    run = begun(tmp_path / "run")
    run.cut_warnings(0)
    for step in (4, 8, 12):
        run.warn(step, "stuck", f"the loss, at {step}")
    run.cut_warnings(8)
    assert run.warnings() == [{"step": str(step), "kind": "stuck", "text": f"the loss, at {step}"} for step in (4, 8)]
    run.cut_warnings(0)
    assert not (run.path / "warnings.csv").exists() and run.warnings() == []


def test_a_row_that_cannot_be_written_costs_no_other(tmp_path: Path) -> None:
    class Unwritable:
        def __str__(self) -> str:
            raise OSError("the disk is full")

    run = begun(tmp_path / "run")
    run.log({"epoch": 1})
    with pytest.raises(OSError):
        run.log({"epoch": 2, "loss": Unwritable()})
    assert run.metrics() == [{"epoch": "1"}]


def test_a_run_that_never_began_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(tmp_path / "runs" / "a").drop_if_empty()
    run = begun(tmp_path / "runs" / "b")
    run.log({"epoch": 1})
    run.drop_if_empty()
    assert {file.parent.name for file in (tmp_path / "runs").glob("*/*")} == {"b"}

    def full() -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(runs, "environment", full)
    with pytest.raises(OSError):
        begun(tmp_path / "runs" / "c")
    assert not (tmp_path / "runs" / "c").exists()


def test_what_was_typed_and_what_it_came_to_are_two_blocks(tmp_path: Path) -> None:
    run = Run.create(
        tmp_path / "run", "repr pretrain", {"lr": None, "epochs": 3, "method": "simclr:temperature=0.2"}, data="C+C", synthetic=False
    )
    run.resolve({"lr": 0.1, "method": "simclr", "temperature": 0.2})
    run.resolve({"warmup": 0.3})
    run.finish("done", {"loss": 0.5})
    read = Run.open(run.path)
    assert read.config["typed"] == {"lr": None, "epochs": 3, "method": "simclr:temperature=0.2"}
    assert read.config["resolved"] == {"lr": 0.1, "method": "simclr", "temperature": 0.2, "warmup": 0.3}
    assert read.settings == {"lr": 0.1, "epochs": 3, "method": "simclr", "temperature": 0.2, "warmup": 0.3}
    assert (read.config["data"], read.config["status"], read.config.get("result")) == ("C+C", "done", {"loss": 0.5})
    read.go_on({"lr": 0.01})
    assert Run.open(run.path).config["typed"]["lr"] == 0.01 and Run.open(run.path).config["status"] == "running"


def test_a_run_that_did_not_end_is_found_by_what_was_typed(tmp_path: Path) -> None:
    typed = {"novel": 3, "shots": None}
    run = Run.create(tmp_path / "transfer-1", "rpc_transfer run", typed, data="C+C", synthetic=False, resolved={"shots": 10})
    assert runs.newest_unfinished("rpc_transfer run", "transfer-*", typed, under=tmp_path) == run.path
    assert runs.newest_unfinished("rpc_transfer run", "transfer-*", {**typed, "novel": 4}, under=tmp_path) is None
    assert runs.newest_unfinished("repr pretrain", "transfer-*", typed, under=tmp_path) is None
    run.finish("done")
    assert runs.newest_unfinished("rpc_transfer run", "transfer-*", typed, under=tmp_path) is None


@pytest.mark.parametrize(("version", "message"), [("1", "an older version"), ("3", "a newer version"), ('"2"', "not a run's")])
def test_a_folder_of_another_version_is_refused(version: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(f'{{"version": {version}, "command": "repr pretrain"}}')
    with pytest.raises(UserError, match=message):
        Run.open(tmp_path)


def test_a_folder_is_claimed_by_one_command(tmp_path: Path) -> None:
    claim(tmp_path / "new", "repr evaluate")
    begun(tmp_path / "run")
    claim(tmp_path / "run", "repr pretrain")
    with pytest.raises(UserError, match="holds a run of `repr pretrain`, which would be lost"):
        claim(tmp_path / "run", "repr evaluate")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file"):
        claim(tmp_path / "file", "repr evaluate")


CELLS = st.integers() | st.text('ab ,"\n', max_size=4)
NAMES = st.sampled_from(["epoch", "loss", "val_acc", "Name, quoted"])
ROWS = st.lists(st.dictionaries(NAMES, CELLS, min_size=1), max_size=5)


@given(ROWS)
def test_any_rows_come_back_as_text(rows: list[dict[str, int | str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = begun(Path(folder) / "run")
        for row in rows:
            run.log(row)
        columns = {name for row in rows for name in row}
        assert run.metrics() == [{name: str(row.get(name, "")) for name in columns} for row in rows]


def test_the_newest_finished_weights_are_found(tmp_path: Path) -> None:
    made = {}
    for name, synthetic, status, created in (
        ("a", False, "done", "2026-01-01"),
        ("b", False, "done", "2026-03-01"),
        ("c", False, "stopped", "2026-04-01"),
        ("d", True, "done", "2026-05-01"),
        ("e", False, "done", "2026-06-01"),  # whose weights are gone
    ):
        run = Run.create(tmp_path / name, "repr pretrain", {}, data="shop", synthetic=synthetic)
        run.config["created"] = created
        run.finish(status)
        if name != "e":
            (run.path / "weights.safetensors").touch()
        made[name] = run.path
    Run.create(tmp_path / "f", "repr evaluate", {}, data="shop", synthetic=False).finish("done")
    (tmp_path / "g").mkdir()
    (tmp_path / "g" / "config.json").write_text('{"of": "another tool"}')
    assert runs.newest_weights(synthetic=False, under=tmp_path) == made["b"]
    assert runs.newest_weights(synthetic=True, under=tmp_path) == made["d"]
    assert runs.newest_weights(synthetic=True, under=tmp_path / "none") is None


def test_a_new_folder_is_never_an_existing_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folders = set()
    for _ in range(3):
        folder = runs.default_out("transfer")
        assert folder.parent == Path("runs") and folder.name.startswith("transfer-") and not folder.exists()
        folder.mkdir(parents=True)
        folders.add(folder)
    assert len(folders) == 3


def test_the_environment_names_versions_and_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "somebody-here")
    about = runs.environment()
    packages = about["packages"]
    assert isinstance(packages, dict) and packages["torch"] == metadata.version("torch")
    assert about["python"] == ".".join(map(str, sys.version_info[:3])) and about["cpus"] == os.cpu_count()
    text = json.dumps(about)
    assert platform.node() not in text and "somebody-here" not in text and str(Path.home()) not in text


@pytest.mark.parametrize("content", ["[]", '{"version": 2}', "7", '"run"'])
def test_what_is_no_runs_config_is_told(content: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not a run folder \(no config\.json\)"):
        Run.open(tmp_path)
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(UserError, match=r"config\.json: not a run's config\.json\. Give the folder"):
        Run.open(tmp_path)


def test_what_is_in_force_is_as_resolved_else_as_typed(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", "repr pretrain", {"lr": None, "epochs": 2}, data="shop", synthetic=False)
    run.resolve({"lr": 0.1})
    run.go_on({"epochs": 3})
    again = Run.open(tmp_path / "run")
    assert again.settings == {"lr": 0.1, "epochs": 3} and again.config["status"] == "running"
    again.finish("stopped", {"step": 7})
    assert Run.open(tmp_path / "run").config["result"] == {"step": 7}
