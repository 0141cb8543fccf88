"""`repr classify` as a user types it, on a small folder of classes with a CSV of titles."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from repr.cli.classify import command
from repr.errors import UserError
from repr.experiments.document import Document

WORDS = {"Apple": "crisp sweet red", "Leek": "long green fresh", "Boots": "leather sole laced"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A MEP-3M folder of 90 records in 2 classes and 3 sub-classes."""
    root = tmp_path_factory.mktemp("shop")
    rng = np.random.default_rng(0)
    records = []
    for row in range(90):
        kind = row % 3
        name = list(WORDS)[kind]
        path = f"Images/{kind + 1}/{row}.png"
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.clip(60 + 70 * kind + rng.normal(0, 40, (32, 32, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(root / path)
        title = f"{' '.join(rng.permutation(WORDS[name].split())[:2])} {name.lower()} {row}"
        parent = ("1", "Food") if kind < 2 else ("2", "Wear")
        ids = {"class_id": parent[0], "class_name": parent[1], "sub_class_id": str(kind + 1), "sub_class_name": name}
        more = {"subsub_class_id": "FALSE", "subsub_class_name": "FALSE", "img_path": path, "img_resolution": [32, 32, 3]}
        records.append(ids | more | {"title": title, "OCR": "FALSE"})
    (root / "annotation.json").write_text(json.dumps(records, indent=4), encoding="utf-8")
    return root


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)


def test_the_row_of_the_issue(shop: Path) -> None:
    result = call("--level", 2, "--model", "ngram", "--data", shop, "--split", "grouped", "--mask-class-words", "--json")
    printed = json.loads(result.stdout)
    assert printed.pop("passed_over") == []
    document = Document.from_json(printed)
    (row,) = document.rows
    assert {
        "model": "ngram",
        "modality": "text",
        "level": 2,
        "hierarchy": "",
        "masked": True,
        "split": "grouped",
    }.items() <= row.config.items()
    assert {"top5", "ap_micro", "ap_macro", "f1_macro", "f1_weighted", "seconds"} <= set(row.metrics) and set(document.shown) <= set(
        row.metrics
    )
    assert 0 <= row.metrics["ece"].mean <= 1 and row.metrics["top1"].mean > 0.9 and row.metrics["top1"].ci95 is None
    assert row.metrics["top1"].values == (row.metrics["top1"].mean,) and row.seeds == (0,)


def test_a_folder_with_its_page(shop: Path, tmp_path: Path) -> None:
    typed = ("--model", "encoder", "--model", "ngram", "--model", "gated", "--weights", "none", "--size", 32, "--epochs", 3, "--data", shop)
    result = call(*typed, "--seeds", 2, "--out", tmp_path / "out")
    assert "gated none" in result.stdout and "±" not in result.stdout and "Means over 2 seeds, too few" in result.stdout
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for section in ("Row against row", "When a modality is missing", "The long tail", "Are the probabilities right?"):
        assert section in page
    first, second = page.index("What to try next</h2>"), page.index("Row against row</h2>")
    assert first < second and "--seeds 5" in page[first:second] and "repr classify predict" in page[first:second]
    config = json.loads((tmp_path / "out" / "config.json").read_text(encoding="utf-8"))
    assert (config["typed"]["lr"], config["typed"]["levels"]) == (None, [])
    resolved = {"lr": [1e-3], "batch_size": [64], "weights": ["none"], "text_encoder": ["ngram"], "presets": ["grouped"], "data_seed": 0}
    assert resolved.items() <= config["resolved"].items() and config["resolved"]["halve_every"] == {"grouped": 0}
    tables = sorted((tmp_path / "out" / "per_class").iterdir())
    assert len(tables) == len(list((tmp_path / "out" / "trials").iterdir())) == 6
    with tables[0].open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 3
    again = call(*typed, "--seeds", 2, "--out", tmp_path / "out")
    assert again.stdout == result.stdout and "3 of 3 trials are already there" in again.stderr


def test_a_stopped_one_has_a_page_too(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("repr.classify.request.summarise", stop)
    result = CliRunner().invoke(command, ["--model", "ngram", "--data", str(shop), "--out", str(tmp_path / "out")])
    assert result.exit_code and "What is kept" in result.stderr
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "stopped before its end" in page and "repr classify --config" in page


def test_a_table_beside_the_papers_column(shop: Path, tmp_path: Path) -> None:
    typed = ("table", "4", "--model", "ngram", "--level", 1, "--level", 3, "--data", shop, "--out", tmp_path)
    result = call(*typed)
    head = result.stdout.splitlines()[0].split()
    assert "paper" not in head and "hierarchy" not in head, "rows of ours alone"
    assert "ngram (masked)" in result.stdout and "which averages" in result.stdout
    assert (tmp_path / "table-4.html").exists()
    content = json.loads(call(*typed, "--json").stdout)
    assert content["about"]["table"] == "4" and content["about"]["paper_top1"] == [None] * 4


def test_the_papers_figures_beside_ours_and_ours_below_a_line(shop: Path, tmp_path: Path) -> None:
    typed = ("table", "4", "--model", "ngram", "--model", "lstm", "--keep-class-words", "--data", shop, "--out", tmp_path, "--epochs", 1)
    head, _, first, line, *_ = call(*typed).stdout.splitlines()
    assert first.split()[0] == "lstm" and "89.1" in first and "91." not in line and line.startswith("— ours —") and "paper F1" in head


def test_where_no_subset_is_there_the_largest_classes_stand_in(shop: Path, tmp_path: Path) -> None:
    typed = ("table", "8", "--model", "ngram", "--data", shop, "--out", tmp_path)
    rows = json.loads(call(*typed, "--json").stdout)["rows"]
    assert [tuple(row["config"][name] for name in ("part", "level", "masked")) for row in rows] == [("Food", 2, False), ("Food", 2, True)]
    assert "None of them is in these data: Food stand in" in call(*typed).stdout


def test_rows_that_cannot_be_run_are_lines_below_the_table(shop: Path, tmp_path: Path) -> None:
    typed = ("table", "6", "--model", "resnet50", "--hierarchy", "flat", "--level", 1, "--level", 2, "--data", shop, "--out", tmp_path)
    result = call(*typed)
    assert result.exit_code == 0 and "Not run: resnet50 (2 rows): no weights" in result.stdout and "top-1" not in result.stdout
    rows = json.loads(call(*typed, "--json").stdout)["rows"]
    assert [row["error"].partition(" (")[0] for row in rows] == ["no weights"] * 2 and not any(row["metrics"] for row in rows)
    with pytest.raises(UserError, match=r"none of the rows could be run\. Not run: ngram, bilstm: .*no labels on level 3"):
        call("--model", "ngram", "--model", "bilstm", "--level", 3, "--data", shop)


def test_a_hierarchical_curve(shop: Path, tmp_path: Path) -> None:
    typed = ("--model", "ngram", "--hierarchy", "flat", "--level", 2, "--fine-share", 0.2, "--fine-share", 1, "--epochs", 3)
    assert len(json.loads(call(*typed, "--data", shop, "--out", tmp_path, "--json").stdout)["rows"]) == 2
    assert "When only the coarse label is known" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (("--model", "ngrams"), "Did you mean ngram"),
        (("tabel", "4"), "Did you mean table"),
        (("table", "7"), "Choose from: 4, 5, 6, 8, fig8, rakuten"),
        (("--scale", "2"), "scale is 2"),
        (("--under", "Leek"), "no class below it"),
        (("--bert", "nowhere", "--model", "bert"), "there is no such folder"),
    ],
)
def test_wrong_usage_is_one_line(shop: Path, typed: tuple[str, ...], words: str) -> None:
    with pytest.raises(UserError, match=words):
        call(*typed, "--data", shop)


def test_noise_is_found_and_taken_out(shop: Path, tmp_path: Path) -> None:
    typed = ("noise", "find", "--data", shop, "--level", 2, "--model", "ngram", "--out", tmp_path / "noise", "--drop", "flagged", "--json")
    printed = json.loads(call(*typed).stdout)
    assert {"schema", "flagged", "rows", "folds", "passed_over"} <= set(printed) and printed["folds"] == 4 and printed["rows"] == 65
    assert all(set(one) == {"product", "given", "proposed", "margin", "dropped"} and one["dropped"] for one in printed["flagged"])
    assert {"config.json", "flagged.csv", "noise.json", "report.html"} <= {file.name for file in (tmp_path / "noise").iterdir()}
    done = call("noise", "apply", tmp_path / "noise", "--out", tmp_path / "left.parquet", "--json")
    assert json.loads(done.stdout)["dropped"] == len(printed["flagged"])
    assert "training rows flagged" in call("noise", "find", "--data", shop).stdout


def test_options_before_a_command_are_refused(shop: Path) -> None:
    with pytest.raises(UserError, match=r"--model would do nothing"):
        call("--model", "ngram", "noise", "find", "--data", shop)


def test_a_run_is_kept_and_asked(shop: Path, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "p.jsonl"
    measured = json.loads(call("--data", shop, "--level", 2, "--out", run, "--json").stdout)
    assert measured["rows"][0]["config"]["model"] == "ngram"
    content = json.loads(call("predict", run, "--data", shop, "--out", out, "--threshold", 0.9, "--json").stdout)
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert content["rows"] == 90 == len(lines) and content["unsure"] == sum(line["unsure"] for line in lines)
    one = json.loads(call("predict", run, "--title", "long green fresh leek", "--json").stdout)["predictions"][0]
    assert one["class"] == "Leek" and one["path"] == ["Food", "Leek"]
    assert "Leek" in call("predict", run, "--title", "green leek").stdout
    with pytest.raises(UserError, match="one product or data"):
        call("predict", run)


def test_a_submission_has_a_code_for_every_product_however_unsure(
    tmp_path: Path, write_rakuten: Callable[..., Path], offers: Sequence[object]
) -> None:
    train, test = write_rakuten(tmp_path / "train", "ens", offers[:80]), write_rakuten(tmp_path / "test", "ens", offers[80:], part="test")
    (test / "Y_test_CVw08PX.csv").unlink()
    call("--data", train, "--out", tmp_path / "run")
    typed = (
        "predict",
        tmp_path / "run",
        "--data",
        test / "X_test_update.csv",
        "--threshold",
        1,
        "--submission",
        tmp_path / "y.csv",
        "--json",
    )
    assert json.loads(call(*typed).stdout)["unsure"] == 40
    lines = (tmp_path / "y.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == ",prdtypecode" and [line.split(",")[0] for line in lines[1:]] == [str(n) for n in range(40)]
    assert {line.split(",")[1] for line in lines[1:]} <= {"10", "1281", "2280", "2583"}
