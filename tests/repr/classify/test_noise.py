"""Labels that look wrong: as cleanlab finds them, training rows alone, edited and applied."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from cleanlab.filter import find_label_issues

from repr.catalog.table import Catalog
from repr.classify import noise
from repr.classify.pruning import Request, to_drop
from repr.errors import UserError
from repr.reports.noise_report import write


@pytest.fixture(scope="module")
def swapped(shop: Catalog, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    """The shop with the labels of 12 training rows and 6 test rows made wrong, and the 12 products."""
    table = shop.table
    labels = np.array(table["class_2"].to_pylist())
    wrong = np.arange(3, 120, 10)
    labels[[*wrong, *range(125, 155, 5)]] = (labels[[*wrong, *range(125, 155, 5)]] + 2) % 4
    at = table.schema.get_field_index("class_2")
    made = replace(shop, table=table.set_column(at, table.schema.field(at), pa.array(labels, pa.int32())))
    file = tmp_path_factory.mktemp("swapped") / "shop.parquet"
    made.write(file)
    return file, {str(row) for row in wrong}


@pytest.fixture(scope="module")
def folder(swapped: tuple[Path, set[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("noise") / "out"
    noise.find(Request(data=(str(swapped[0]),), level=2, drop="50%"), out)
    return out


@pytest.mark.parametrize("seed", range(4))
def test_flagged_are_those_of_cleanlab(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, 200)
    scores = rng.dirichlet(np.ones(4), 200) + 1.5 * np.eye(4)[np.where(rng.random(200) < 0.85, labels, rng.integers(0, 4, 200))]
    scores = (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
    found = noise.flag(labels, scores, np.ones(200, bool))
    exact = scores.astype(np.float64) / scores.astype(np.float64).sum(axis=1, keepdims=True)
    expected = find_label_issues(labels, exact, return_indices_ranked_by="normalized_margin")
    assert set(found) == set(expected) and len(found)
    margins = noise.margin(labels[found], scores[found])[1]
    assert (np.diff(margins) <= 0).all() and (margins >= 0).all()


def test_classes_are_numbered_without_gaps_and_rows_nobody_can_judge_left_out() -> None:
    labels = np.array([2, 2, 2, 7, 7, 7, 5])
    scores = np.zeros((7, 9), np.float32)
    scores[:, 2], scores[:, 7] = [0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.5], [0.1, 0.1, 0.9, 0.9, 0.9, 0.9, 0.5]
    assert noise.flag(labels, scores, labels != 5).tolist() == [2]


@pytest.mark.parametrize(("drop", "expected"), [("flagged", 21), ("tenth", 3), ("50%", 11), ("0%", 0), ("12.5 %", 3)])
def test_what_is_dropped(drop: str, expected: int) -> None:
    assert to_drop(drop, 21) == expected


@pytest.mark.parametrize("drop", ["some", "101%", "-1%", "nan%"])
def test_what_cannot_be_dropped(drop: str) -> None:
    with pytest.raises(UserError, match="no share of the flagged"):
        to_drop(drop, 21)


def test_wrong_labels_are_found_worst_first_among_training_rows(swapped: tuple[Path, set[str]], folder: Path) -> None:
    found = noise.find(Request(data=(str(swapped[0]),), level=2, drop="50%"))
    products = [one.product for one in found.flagged]
    assert len(swapped[1] & set(products)) >= 8 and not any(int(product) >= 120 for product in products)
    margins = [one.margin for one in found.flagged]
    assert margins == sorted(margins, reverse=True)
    half = (len(products) + 1) // 2
    assert [one.dropped for one in found.flagged] == [True] * half + [False] * (len(products) - half)
    printed = found.as_json()
    assert printed["rows"] == found.rows == 120 - (found.catalog.column("split") == "val").sum() and printed["folds"] == 4
    assert (found.catalog.column("split") == "val").sum() == 12
    assert set(printed) == {"schema", "flagged", "rows", "unjudged", "folds"} and printed["unjudged"] == 0
    assert set(printed["flagged"][0]) == {"product", "given", "proposed", "margin", "dropped"}


def test_rows_that_nobody_can_judge_are_counted(shop: Catalog, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One boot is all that training has: the model that is asked for it knows no boots. The file and the page say so."""
    boots = np.flatnonzero((shop.column("class_2") == 2) & (shop.column("split") == "train"))
    shop.select(np.setdiff1d(np.arange(160), boots[1:])).write(tmp_path / "shop.parquet")
    findings = noise.find(Request(data=(str(tmp_path / "shop.parquet"),), level=2), tmp_path / "out")
    (told,) = [record.__dict__["passed_over"] for record in caplog.records if "passed_over" in record.__dict__]
    assert told["count"] == 1 and told["examples"] == [str(boots[0])] and told["reason"] == noise.UNTAUGHT
    assert str(boots[0]) not in {one.product for one in findings.flagged}
    kept = json.loads((tmp_path / "out" / noise.RESULT).read_text(encoding="utf-8"))
    assert kept == findings.as_json() and kept["unjudged"] == 1 and "; 1 could not be judged" in write(findings, tmp_path).read_text()


def test_rows_that_show_the_model_nothing_are_not_flagged(shop: Catalog, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    at = shop.table.schema.get_field_index("title")
    titles = [None if row < 5 else title for row, title in enumerate(shop.table["title"].to_pylist())]
    replace(shop, table=shop.table.set_column(at, "title", [titles])).write(tmp_path / "shop.parquet")
    findings = noise.find(Request(data=(str(tmp_path / "shop.parquet"),), level=2))
    (told,) = [record.__dict__["passed_over"] for record in caplog.records if "passed_over" in record.__dict__]
    assert 0 < told["count"] == findings.unjudged <= 5 and told["reason"] == noise.UNSEEN
    assert {"0", "1", "2", "3", "4"}.isdisjoint(one.product for one in findings.flagged)


def test_applied_as_edited(folder: Path, tmp_path: Path) -> None:
    before = Catalog.read(folder / noise.CATALOG)
    with (folder / noise.FLAGGED).open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    marked = sum(row["drop"] == "yes" for row in rows)
    assert noise.apply(folder, tmp_path / "a.parquet").dropped == marked
    assert noise.apply(folder, tmp_path / "b.parquet", "flagged").dropped == len(rows)
    for row in rows:
        row["drop"] = "no"
    rows[-1]["drop"] = "Yes"
    edited(folder, rows)
    done = noise.apply(folder, tmp_path / "c.parquet")
    left = Catalog.read(tmp_path / "c.parquet")
    assert done.dropped == 1 and done.rows == len(left) == len(before) - 1
    assert rows[-1]["product"] not in left.column("product")
    for part in ("val", "test"):
        assert (left.column("split") == part).sum() == (before.column("split") == part).sum()


def edited(folder: Path, rows: list[dict[str, str]]) -> None:
    with (folder / noise.FLAGGED).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, noise.COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [("drop", "perhaps", "row 2: drop is 'perhaps'|drop is 'perhaps'"), ("product", "x", "is not product x"), ("row", "150", "not")],
)
def test_a_broken_line_is_named(folder: Path, tmp_path: Path, column: str, value: str, words: str) -> None:
    with (folder / noise.FLAGGED).open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    try:
        edited(folder, [{**rows[0], column: value}, *rows[1:]])
        with pytest.raises(UserError, match=words) as error:
            noise.apply(folder, tmp_path / "d.parquet")
        assert "row 2" in str(error.value) and not (tmp_path / "d.parquet").exists()
        edited(folder, [{**rows[0], "row": "130", "product": "130"}])
        with pytest.raises(UserError, match="row 130 is not for training"):
            noise.apply(folder, tmp_path / "d.parquet")
    finally:
        edited(folder, rows)


def test_edited_by_a_spreadsheet(folder: Path, tmp_path: Path) -> None:
    """Semicolons for commas; and an encoding of its own, which is refused."""
    file = folder / noise.FLAGGED
    before = file.read_text(encoding="utf-8-sig")
    try:
        with file.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, delimiter=";").writerows(csv.reader(before.splitlines()))
        marked = sum(row["drop"].lower() == "yes" for row in csv.DictReader(before.splitlines()))
        assert noise.apply(folder, tmp_path / "e.parquet").dropped == marked
        file.write_bytes("row,product,drop,é\n".encode("cp1252"))
        with pytest.raises(UserError, match=r"not UTF-8 .*Save the file as UTF-8"):
            noise.apply(folder, tmp_path / "f.parquet")
        file.write_text("row,product\n1,2\n", encoding="utf-8")
        with pytest.raises(UserError, match="no column drop"):
            noise.apply(folder, tmp_path / "f.parquet")
    finally:
        file.write_text(before, encoding="utf-8")


def test_a_page_with_images_and_titles(swapped: tuple[Path, set[str]], folder: Path, tmp_path: Path) -> None:
    found = noise.find(Request(data=(str(swapped[0]),), level=2))
    page = write(found, tmp_path).read_text(encoding="utf-8")
    first = found.flagged[0]
    assert (
        f"{first.given} → {first.proposed}" in page
        and "data:image/" in page
        and 'class="neighbours tiles"' in page
        and "repr classify noise apply" in page
    )


def test_a_model_that_lacks_its_weights(swapped: tuple[Path, set[str]]) -> None:
    with pytest.raises(UserError, match=r"resnet50 cannot be trained here.*no weights"):
        noise.find(Request(data=(str(swapped[0]),), level=2, model="resnet50", end_to_end=False))


def test_what_the_model_does_not_look_at(tmp_path: Path) -> None:
    for given in ({"weights": "none"}, {"grid": 3}, {"model": "encoder", "mask": True}):
        with pytest.raises(UserError, match="none of the rows asked for looks at this"):
            noise.find(Request(data=(str(tmp_path),), **given))  # type: ignore[arg-type]


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no catalog\.parquet in it"):
        noise.apply(tmp_path, tmp_path / "x.parquet")
    with pytest.raises(UserError, match=r"Name it \.parquet"):
        noise.apply(tmp_path, tmp_path / "x.csv")
