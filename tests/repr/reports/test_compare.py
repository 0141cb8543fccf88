"""Runs side by side: settings that differ, rows together, paired tests only where the splits are equal."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from scipy import stats

from repr.cli.compare import command
from repr.errors import UserError
from repr.evaluation.statistics import interval
from repr.experiments import document
from repr.experiments.document import Document, Row, TrialFile, UsedWeights
from repr.models.names import weights_names
from repr.models.provenance import Data, Images, Provenance, Record
from repr.models.weights import fresh, write_weights
from repr.reports.compare import Compared, compare, next_commands, tables, write_page
from repr.runs import Run

METRICS = ("acc_all", "acc_novel")


def row(values: list[float], *, split: str = "a", error: str = "", **config: document.Value) -> Row:
    metric = interval(values)
    metrics = {} if metric is None or error else dict.fromkeys(METRICS, metric)
    trials = () if error else tuple(TrialFile(seed, f"{split}{seed}", "") for seed in range(len(values)))
    return Row({"learner": "ncm", **config}, metrics, trials, error=error)


def run(path: Path, rows: list[Row], *, command: str = "toy", status: str = "done", weights: tuple[UsedWeights, ...] = ()) -> Path:
    folder = Run.create(path, command, {"novel": 2}, data="shop", synthetic=True)
    shown = {"shown": METRICS, "named": ("learner", "weights"), "alike": ("learner", "shots")}
    document.write(path, Document(command, "shop", True, tuple(rows), weights=weights, **shown))
    folder.finish(status)
    return path


def transfer(path: Path, values: Mapping[str, list[float]], *, shots: int = 10, split: str = "a") -> Path:
    return run(path, [row(given, split=split, weights=name, shots=shots, features="as given") for name, given in values.items()])


def titled(compared: Compared, start: str) -> list[list[str]]:
    """Header and rows of the table whose title begins so."""
    (table,) = [table for table in tables(compared) if table.title.startswith(start)]
    return [table.header, *table.rows]


def test_only_settings_that_differ_are_shown(tmp_path: Path, pretraining: Callable[..., Path]) -> None:
    compared = compare([pretraining(tmp_path / "a"), pretraining(tmp_path / "b", epochs=5, device="cuda")])
    assert [run.settings for run in compared.runs] == [{"epochs": 2}, {"epochs": 5}]
    assert [run.metrics for run in compared.runs] == [{"loss": 1.0, "train_acc": 0.5}] * 2
    [table] = tables(compared)
    assert table.header == ["run", "data", "status", "epochs", "loss", "train_acc"]
    assert table.rows[0] == ["a", "shop", "done", "2", "1", "50.0 %"]


def test_a_stopped_run_shows_its_last_epoch(tmp_path: Path, pretraining: Callable[..., Path]) -> None:
    stopped = pretraining(tmp_path / "a")
    Run.open(stopped).finish("stopped")
    first = compare([stopped, pretraining(tmp_path / "b")]).runs[0]
    assert first.metrics["loss"] == 1.0 and first.metrics["epoch"] == 2 and "val_acc" not in first.metrics


def test_the_paired_test_is_scipys(tmp_path: Path) -> None:
    a, b = [0.5, 0.6, 0.7, 0.55], [0.45, 0.58, 0.6, 0.5]
    compared = compare([transfer(tmp_path / "first", {"none": b}), transfer(tmp_path / "second", {"runs/x": a})])
    [test] = [test for test in compared.tests if test.metric == "acc_novel"]
    assert (compared.rows[test.a].run, compared.rows[test.b].run) == ("second", "first")
    assert test.p == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert test.difference == pytest.approx(0.055) and test.n == 4
    header, line = titled(compared, "toy: a − b")
    assert header == ["learner", "shots", "a", "b", "acc_all", "acc_novel", "seeds"]
    assert line[:4] == ["ncm", "10", "second: x", "first: none"] and line[5].startswith("+5.5 ± ") and line[6] == "4"


def test_rows_stand_by_learner_with_the_settings_that_differ(tmp_path: Path) -> None:
    one = run(tmp_path / "one", [row([0.5], weights="none", size=64), row([0.4], weights="x", size=64, learner="lda")])
    two = run(tmp_path / "two", [row([0.7], weights="x", size=96), row([], error="gone", weights="y", size=96)])
    header, *rows = titled(compare([one, two]), "Rows of toy")
    assert header == ["learner", "weights", "size", "run", "acc_all", "acc_novel"]
    assert rows == [
        ["ncm", "none", "64", "one (synthetic)", "50.0", "50.0"],
        ["ncm", "x", "96", "two (synthetic)", "70.0", "70.0"],
        ["ncm", "y", "96", "two (synthetic)", "not run: gone", "–"],
        ["lda", "x", "64", "one (synthetic)", "40.0", "40.0"],
    ]


def test_labels_hold_as_much_as_tells_rows_apart(tmp_path: Path) -> None:
    rows = [row([0.5, 0.6], weights="x", shots=10, size=64, features=kind) for kind in ("as given", "base-trained")]
    compared = compare([run(tmp_path / "one", rows), transfer(tmp_path / "two", {"x": [0.5, 0.7]})])
    _, *lines = titled(compared, "toy: a − b")
    assert [line[2:4] for line in lines] == [
        ["one: x, base-trained", "one: x, as given"],
        ["two: x, as given", "one: x, as given"],
        ["two: x, as given", "one: x, base-trained"],
    ]


def test_what_the_weights_were_made_of_is_told_once(tmp_path: Path) -> None:
    def used(*sizes: int) -> tuple[UsedWeights, ...]:
        return (UsedWeights("w/mine", "resnet18", ("1. simclr on 'nuts'", "2. a mix"), sizes, (1.0, 0.5)),)

    rows = [row([0.5, 0.6], weights="w/mine")]
    runs = [run(tmp_path / name, rows, weights=used(*sizes)) for name, sizes in (("a", [64]), ("b", [64]), ("c", [96, 64]))]
    _, *told = titled(compare(runs), "What the rows begin from")
    made = "1. simclr on 'nuts'; 2. a mix"
    assert told == [
        ["mine", "resnet18", "64 px, crops 1,0.5", "a, b", made],
        ["mine", "resnet18", "96 px, 64 px, crops 1,0.5", "c", made],
    ]


def test_pretrainings_differ_by_what_was_in_force_and_tell_how_their_weights_came_about(
    tmp_path: Path, pretraining: Callable[..., Path]
) -> None:
    folders = [pretraining(tmp_path / name, lr=None) for name in ("C+C", "-1")]
    for folder, lr in zip(folders, (0.1, 0.2), strict=True):
        Run.open(folder).resolve({"lr": lr, "views": "product"})
    record = Record("simclr", data=(Data("nan", Images(3), Images(4)),))
    write_weights(folders[1] / "weights.safetensors", replace(fresh("resnet18", 32, 0), provenance=Provenance.of(record)))
    compared = compare(folders)
    assert [run.settings for run in compared.runs] == [{"lr": 0.1}, {"lr": 0.2}]
    told = {table.title: table.rows for table in tables(compared)}["How the weights came about"]
    assert told == [["-1", "simclr on 'nan' (3 of 4 images)"]]


def test_rows_of_other_splits_or_settings_or_commands_are_not_tested(tmp_path: Path) -> None:
    values = {"none": [0.5, 0.6]}
    first = transfer(tmp_path / "first", values)
    assert not compare([first, transfer(tmp_path / "other", values, split="b")]).tests
    assert not compare([first, transfer(tmp_path / "fewer", values, shots=5)]).tests
    assert not compare([first, run(tmp_path / "else", [row([0.5, 0.6], weights="none", shots=10)], command="other")]).tests
    assert compare([first, transfer(tmp_path / "same", values)]).tests


def test_only_shared_seeds_are_paired(tmp_path: Path) -> None:
    runs = [transfer(tmp_path / "two", {"none": [0.5, 0.6]}), transfer(tmp_path / "three", {"none": [0.6, 0.6, 0.9]})]
    assert {test.n for test in compare(runs).tests} == {2}


def test_results_of_before_a_stopped_run_are_not_shown(tmp_path: Path) -> None:
    folders = [transfer(tmp_path / name, {"none": [0.5, 0.6]}) for name in "ab"]
    Run.open(folders[1]).finish("stopped")
    assert {row.run for row in compare(folders).rows} == {"a"}


def test_rows_within_a_run_are_tested_too(tmp_path: Path, pretraining: Callable[..., Path]) -> None:
    both = transfer(tmp_path / "first", {"none": [0.5, 0.6], "imagenet": [0.6, 0.8]})
    compared = compare([both, pretraining(tmp_path / "p")])
    assert {(compared.rows[test.a].row.config["weights"], test.b) for test in compared.tests} == {("imagenet", 0)}


def test_a_synthetic_run_is_labelled(tmp_path: Path) -> None:
    runs = [transfer(tmp_path / name, {"none": [0.5]}) for name in "ab"]
    compared = compare(runs)
    assert all("(synthetic)" in line[2] for line in titled(compared, "Rows of toy")[1:])
    assert "(synthetic)" in write_page(compared, tmp_path / "page.html", runs).read_text(encoding="utf-8")


def test_what_to_try_next_goes_on_repeats_and_judges(tmp_path: Path, pretraining: Callable[..., Path]) -> None:
    runs = [
        run(tmp_path / "few", [row([0.5, 0.6])], command="repr classify"),
        run(tmp_path / "many", [row([0.5, 0.6, 0.7])], command="repr classify"),
        run(tmp_path / "stopped", [], command="repr classify", status="stopped"),
        pretraining(tmp_path / "net"),
    ]
    assert next_commands(compare(runs), runs) == [
        f"repr classify --config {runs[0]}/config.json --seeds 5",
        f"repr classify --config {runs[2]}/config.json --out {runs[2]}",
        f"repr evaluate --weights {runs[3]} --data YOUR_FOLDER",
    ]
    page = write_page(compare(runs), tmp_path / "page.html", runs).read_text(encoding="utf-8")
    assert page.index("What to try next") < page.index("Rows of repr classify")


def test_a_broken_document_is_named(tmp_path: Path) -> None:
    runs = [transfer(tmp_path / name, {"none": [0.5]}) for name in "ab"]
    (runs[1] / document.FILE).write_text('{"schema": 99}')
    with pytest.raises(UserError, match=r"b/results.json: written by a newer version \(schema 99"):
        compare(runs)


def test_equal_names_are_told_apart_by_their_folders(tmp_path: Path, pretraining: Callable[..., Path]) -> None:
    compared = compare([pretraining(tmp_path / "x" / "run"), pretraining(tmp_path / "y" / "run")])
    assert [run.run for run in compared.runs] == ["x/run", "y/run"]


def test_weights_of_equal_names_are_told_apart(tmp_path: Path, pretraining: Callable[..., Path]) -> None:
    specs = ["runs/x/weights.safetensors", "runs/y/weights.safetensors"]
    assert weights_names(["none", *specs, "imagenet"]) == {
        "none": "none",
        specs[0]: "x/weights",
        specs[1]: "y/weights",
        "imagenet": "imagenet",
    }
    runs = [transfer(tmp_path / "first", {specs[0]: [0.5, 0.6], specs[1]: [0.6, 0.8]}), pretraining(tmp_path / "p")]
    compared = compare(runs)
    _, line = titled(compared, "toy: a − b")
    assert line[2:4] == ["first: y/weights", "first: x/weights"]
    page = write_page(compared, tmp_path / "page.html", runs).read_text(encoding="utf-8")
    assert "first: x/weights" in page and "first: y/weights" in page


def test_bad_input(tmp_path: Path, pretraining: Callable[..., Path]) -> None:
    run = pretraining(tmp_path / "a")
    with pytest.raises(UserError, match="one run alone"):
        compare([run])
    with pytest.raises(UserError, match="given twice"):
        compare([run, tmp_path / "." / "a"])
    with pytest.raises(UserError, match="not a run folder"):
        compare([run, tmp_path])


def test_command(tmp_path: Path) -> None:
    runs = [str(transfer(tmp_path / "a", {"none": [0.5, 0.7]})), str(transfer(tmp_path / "b", {"imagenet": [0.6, 0.9]}))]
    printed = CliRunner().invoke(command, runs, catch_exceptions=False).stdout
    assert "60.0" in printed and "imagenet" in printed and "60.0 ± " not in printed, "no interval of two seeds"
    done = CliRunner().invoke(command, [*runs, "--json", "--out", str(tmp_path / "page.html")], catch_exceptions=False)
    content = json.loads(done.stdout)
    assert set(content) == {"schema", "runs", "rows", "weights", "tests", "passed_over"}
    assert set(content["rows"][0]["row"]["metrics"]["acc_all"]) == {"mean", "ci95", "values"}
    assert (tmp_path / "page.html").is_file()
