"""Runs side by side: settings that differ, rows together, paired tests only where the splits are equal."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from scipy import stats

from repr.cli.compare import command
from repr.errors import UserError
from repr.files import write_json
from repr.models.names import weights_names
from repr.models.provenance import Data, Images, Provenance, Record
from repr.models.weights import fresh, write_weights
from repr.reports.compare import compare, tables, write_page
from repr.runs import Run


def transfer(path: Path, values: dict[str | None, list[float]], *, shots: int = 10, split_seed: int = 0, drawn: int = 0) -> Path:
    run = Run.create(path, "rpc_transfer run", {"novel": 2, "split_seed": split_seed}, data="shop", synthetic=True)
    seeds = list(range(len(next(iter(values.values())))))
    rows = []
    for weights, given in values.items():
        figure = {"mean": sum(given) / len(given), "ci95": 0.01, "values": given}
        measures = dict.fromkeys(("acc_all", "acc_base", "acc_novel", "harmonic_mean"), figure)
        rows.append(
            {"learner": "ncm", "weights": weights, "shots": shots, "features": "as given", "base_shots": shots, "error": None, **measures}
        )
    write_json(path / "results.json", {"version": 1, "seeds": seeds, "rows": rows})
    fixed = {"data": "shop", "base": ["1"], "novel": ["2"], "increments": [["2"]]}
    images = {key: [f"{key}-{split_seed}-{n}.jpg" for n in range(drawn or shots)] for key in "12"}
    support = [{"seed": seed, "images": images} for seed in seeds]
    write_json(path / "split.json", {**fixed, "support": support, "tests": [{"seeds": seeds, "images": {"1": ["t.jpg"]}}]})
    run.finish("done")
    return path


def test_only_settings_that_differ_are_shown(tmp_path: Path, pretraining: Callable[..., Path]) -> None:
    compared = compare([pretraining(tmp_path / "a"), pretraining(tmp_path / "b", epochs=5, device="cuda")])
    assert [run["settings"] for run in compared["runs"]] == [{"epochs": 2}, {"epochs": 5}]
    assert [run["metrics"] for run in compared["runs"]] == [{"loss": 1.0, "train_acc": 0.5}] * 2
    [table] = tables(compared)
    assert table.header == ["run", "data", "status", "epochs", "loss", "train_acc"]
    assert table.rows[0] == ["a", "shop", "done", "2", "1", "50.0 %"]


def test_a_stopped_run_shows_its_last_epoch(tmp_path: Path, pretraining: Callable[..., Path]) -> None:
    stopped = pretraining(tmp_path / "a")
    Run.open(stopped).finish("stopped")
    first = compare([stopped, pretraining(tmp_path / "b")])["runs"][0]
    assert first["metrics"]["loss"] == 1.0 and first["metrics"]["epoch"] == 2 and "val_acc" not in first["metrics"]


def test_the_paired_test_is_scipys(tmp_path: Path) -> None:
    a, b = [0.5, 0.6, 0.7, 0.55], [0.45, 0.58, 0.6, 0.5]
    compared = compare([transfer(tmp_path / "first", {None: b}), transfer(tmp_path / "second", {"runs/x": a})])
    [test] = [test for test in compared["tests"] if test["metric"] == "acc_novel"]
    assert (test["a"], test["b"]) == ("second: x", "first: none")
    assert test["p"] == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert test["difference"] == pytest.approx(0.055) and test["n"] == 4


def test_what_the_weights_were_made_of_is_told_once(tmp_path: Path) -> None:
    runs = [transfer(tmp_path / name, {"w/mine": [0.5, 0.6]}) for name in ("a", "b", "c")]
    made = {"arch": "resnet18", "history": ["simclr on 'nuts' (12 images)"]}
    for run, sizes in zip(runs, ([64], [64], [96, 64]), strict=True):
        content = json.loads((run / "results.json").read_text())
        write_json(run / "results.json", content | {"starts": [{**made, "weights": "w/mine", "sizes": sizes, "crops": [1.0, 0.5]}]})
    told = {table.title: table.rows for table in tables(compare(runs))}["What the rows start from, as the weights' files tell it"]
    shown = ["mine", "resnet18", "simclr on 'nuts' (12 images)"]
    assert told == [[*shown, "64 px, crops 1,0.5", "a, b"], [*shown, "96 px, 64 px, crops 1,0.5", "c"]]


def test_pretrainings_differ_by_what_was_in_force_and_tell_how_their_weights_came_about(
    tmp_path: Path, pretraining: Callable[..., Path]
) -> None:
    folders = [pretraining(tmp_path / name, lr=None) for name in ("C+C", "-1")]
    for folder, lr in zip(folders, (0.1, 0.2), strict=True):
        Run.open(folder).resolve({"lr": lr, "views": "product"})
    record = Record("simclr", data=(Data("nan", Images(3), Images(4)),))
    write_weights(folders[1] / "weights.safetensors", replace(fresh("resnet18", 32, 0), provenance=Provenance.of(record)))
    compared = compare(folders)
    assert [run["settings"] for run in compared["runs"]] == [{"lr": 0.1}, {"lr": 0.2}]
    told = {table.title: table.rows for table in tables(compared)}["How the weights came about"]
    assert told == [["-1", "simclr on 'nan' (3 of 4 images)"]]


def test_runs_of_before_crops_looked_at_whole_images(tmp_path: Path) -> None:
    old, new = (transfer(tmp_path / name, {None: [0.5, 0.6]}) for name in ("old", "new"))
    content = json.loads((new / "results.json").read_text())
    content["rows"][0]["crops"] = [1.0]
    write_json(new / "results.json", content)
    assert "crops" not in json.dumps([table.header for table in tables(compare([old, new]))])
    content["rows"][0]["crops"] = [1.0, 0.5]
    write_json(new / "results.json", content)
    assert "crops" in json.dumps([table.header for table in tables(compare([old, new]))])


def test_rows_of_other_splits_or_shots_are_not_tested(tmp_path: Path) -> None:
    values: dict[str | None, list[float]] = {None: [0.5, 0.6]}
    first = transfer(tmp_path / "first", values)
    assert not compare([first, transfer(tmp_path / "other", values, split_seed=1)])["tests"]
    fewer = transfer(tmp_path / "fewer", values, shots=5)
    assert not compare([first, fewer])["tests"]
    assert compare([fewer, transfer(tmp_path / "curve", values, shots=5, drawn=10)])["tests"], "the first five of ten are the same"


def test_results_of_before_a_stopped_run_are_not_shown(tmp_path: Path) -> None:
    values: dict[str | None, list[float]] = {None: [0.5, 0.6]}
    folders = [transfer(tmp_path / name, values) for name in "ab"]
    Run.open(folders[1]).finish("stopped")
    assert {row["run"] for row in compare(folders)["rows"]} == {"a"}


def test_rows_within_a_run_are_tested_too(tmp_path: Path, pretraining: Callable[..., Path]) -> None:
    both = transfer(tmp_path / "first", {None: [0.5, 0.6], "imagenet": [0.6, 0.8]})
    tests = compare([both, pretraining(tmp_path / "p")])["tests"]
    assert {(test["a"], test["b"]) for test in tests} == {("first: imagenet", "first: none")}


def test_a_synthetic_run_is_labelled(tmp_path: Path) -> None:
    runs = [transfer(tmp_path / "a", {None: [0.5]}), transfer(tmp_path / "b", {None: [0.5]})]
    compared = compare(runs)
    assert all("(synthetic)" in row[-5] for table in tables(compared)[1:2] for row in table.rows)
    assert "(synthetic)" in write_page(compared, tmp_path / "page.html").read_text(encoding="utf-8")


def test_evaluations_and_classifications_show_their_rows(tmp_path: Path) -> None:
    for i, name in enumerate("ab"):
        retrieval = {"micro": {"recall@1": 0.25 + i / 4, "map@r": 0.125}, "macro": {}}
        row = {"name": "imagenet", "knn_top1": 0.5, "linear_top1": None, "retrieval": retrieval, "lone_queries": 0}
        Run.create(tmp_path / name, "repr evaluate", {"k": i}, data="shop", synthetic=False).finish("done", {"rows": [row]})
    row = {"model": "ngram", "hierarchy": "", "modality": "text", "level": 2, "top1": 0.75, "f1_macro": 0.5}
    masked = {**row, "masked": True, "modality": "text+ocr", "part": "food"}
    Run.create(tmp_path / "c", "repr classify table 4", {}, data="shop", synthetic=True).finish("done", {"rows": [row, masked]})
    found = {table.title: table for table in tables(compare([tmp_path / name for name in "abc"]))}
    rows = found["Rows of repr evaluate"]
    assert rows.header == ["run", "row", "knn_top1", "linear_top1", "recall@1", "map@r"]
    assert rows.rows == [["a", "imagenet", "50.0 %", "–", "25.0 %", "12.5 %"], ["b", "imagenet", "50.0 %", "–", "50.0 %", "12.5 %"]]
    assert found["Rows of repr classify table 4"].rows == [
        ["c (synthetic)", "ngram, level 2", "75.0 %", "50.0 %"],
        ["c (synthetic)", "ngram + OCR (masked), food, level 2", "75.0 %", "50.0 %"],
    ]


def test_equal_names_are_told_apart_by_their_folders(tmp_path: Path, pretraining: Callable[..., Path]) -> None:
    compared = compare([pretraining(tmp_path / "x" / "run"), pretraining(tmp_path / "y" / "run")])
    assert [run["run"] for run in compared["runs"]] == ["x/run", "y/run"]


def test_weights_of_equal_names_are_told_apart(tmp_path: Path, pretraining: Callable[..., Path]) -> None:
    specs = ["runs/x/weights.safetensors", "runs/y/weights.safetensors"]
    assert weights_names([None, *specs, "imagenet"]) == {
        None: "none",
        specs[0]: "x/weights",
        specs[1]: "y/weights",
        "imagenet": "imagenet",
    }
    both = transfer(tmp_path / "first", {specs[0]: [0.5, 0.6], specs[1]: [0.6, 0.8]})
    compared = compare([both, pretraining(tmp_path / "p")])
    assert {(test["a"], test["b"]) for test in compared["tests"]} == {("first: y/weights", "first: x/weights")}
    page = write_page(compared, tmp_path / "page.html").read_text(encoding="utf-8")
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
    runs = [str(transfer(tmp_path / "a", {None: [0.5, 0.7]})), str(transfer(tmp_path / "b", {"imagenet": [0.6, 0.9]}))]
    printed = CliRunner().invoke(command, runs, catch_exceptions=False).stdout
    assert "60.0 ± 1.0" in printed and "imagenet" in printed
    done = CliRunner().invoke(command, [*runs, "--json", "--out", str(tmp_path / "page.html")], catch_exceptions=False)
    assert set(json.loads(done.stdout)) == {"schema", "runs", "rows", "starts", "measured", "tests"}
    assert (tmp_path / "page.html").is_file()
