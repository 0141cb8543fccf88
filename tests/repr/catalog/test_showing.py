"""What `repr catalog show` says of a catalog made by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from repr.catalog.showing import LONGEST, show
from repr.catalog.table import Catalog, ClassName, Source, build
from repr.errors import UserError


@pytest.fixture
def shop() -> Catalog:
    """Three images of two of three classes, one of them a box."""
    names = (ClassName("1", "tea"), ClassName("2", "jam"), ClassName("3", "salt"))
    columns = {
        "path": ["a.jpg", "b.jpg", "c.jpg"],
        "product": ["T", "J", "J"],
        "class_1": [0, 1, 1],
        "split": ["train", "test", "train"],
        "box": [None, (1.0, 2.5, 30.0, 40.0), None],
        "title": ["x" * 99, "red\njam", None],
    }
    return build(columns, classes=(names, (), ()), sources=(Source("C+C", "csv", Path("/data"), True),), default_level=1)


def test_the_summary_counts_what_is_there(shop: Catalog) -> None:
    shown = show(shop, rows=2)
    assert (shown.data, shown.synthetic, shown.records, shown.level, shown.labels) == ("C+C", True, 3, 1, 2)
    assert (shown.classes, shown.occur, shown.splits) == ((3, 0, 0), (2, 0, 0), {"test": 1, "train": 2})
    assert [(source.name, source.kind, source.records) for source in shown.sources] == [("C+C", "csv", 3)]
    assert [(row["path"], row["class_1"], row["class_2"], row["source"]) for row in shown.rows] == [
        ("a.jpg", "tea", None, "C+C"),
        ("b.jpg", "jam", None, "C+C"),
    ]


def test_as_json_it_is_complete(shop: Catalog) -> None:
    content = json.loads(json.dumps(show(shop, rows=3).as_json()))
    assert content["sources"] == [{"name": "C+C", "kind": "csv", "root": "/data", "synthetic": True, "records": 3}]
    assert content["rows"][1]["box"] == [1.0, 2.5, 30.0, 40.0] and content["occur"] == [2, 0, 0]


def test_in_words_long_cells_are_cut_and_empty_columns_left_out(shop: Catalog) -> None:
    said = "\n".join(show(shop, rows=3).lines())
    assert said.startswith("3 records of C+C (synthetic, not real)") and "2, 0, 0 occur, of 3, 0, 0 in the table" in said
    assert "x" * (LONGEST - 1) + "…" in said and "x" * LONGEST not in said
    assert "red jam" in said and "1 2.5 30 40" in said and "barcode" not in said


@pytest.mark.parametrize("wanted", ["jam", "2"])
def test_one_class_by_name_or_id(shop: Catalog, wanted: str) -> None:
    assert [row["path"] for row in show(shop, rows=9, wanted=wanted).rows] == ["b.jpg", "c.jpg"]


def test_a_class_that_is_none_offers_the_nearest(shop: Catalog) -> None:
    with pytest.raises(UserError, match=r"no class 'jamm' on level 1.*Did you mean jam"):
        show(shop, rows=1, wanted="jamm")
