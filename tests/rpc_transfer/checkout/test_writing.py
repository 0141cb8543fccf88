"""Baskets as files: ids as the truth has them, hostile names, and nothing half-written."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repr.checkout.basket import Basket, Item
from repr.errors import UserError
from repr.lookup.matches import Match
from rpc_transfer.checkout import writing
from rpc_transfer.checkout.writing import Ids

HOSTILE = ["C+C", "a → b", "A: dairy", "-1", "nan", "007", "1e3", "=1+1", '"quoted", and a comma', "龙井茶"]


def item(product: str, *, unknown: bool = False, name: str | None = None, score: float = 0.5) -> Item:
    return Item((10.0, 20.0, 30.0, 40.0), score, unknown, (Match(product, 0.9, "a.jpg", name, None, (), 0.5),))


def basket(query: str, *items: Item, error: str = "") -> Basket:
    return Basket(query, (100, 80), items, error) if error else Basket(query, (100, 80), items)


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    images = [{"id": "img-1", "file_name": "a.jpg", "width": 9, "height": 9}, {"id": 7, "file_name": "b.jpg", "width": 9, "height": 9}]
    categories = [{"id": n, "name": f"{n}", "supercategory": ""} for n in (1, "007", "C+C")]
    (tmp_path / "truth.json").write_text(json.dumps({"categories": categories, "images": images, "annotations": []}))
    return tmp_path / "truth.json"


def test_ids_are_those_of_the_truth_numbers_as_numbers_and_texts_as_texts(truth: Path) -> None:
    ids = Ids.like(truth)
    rows = writing.results([basket("folder/a.jpg", item("1"), item("007"), item("C+C"), item("stranger")), basket("b.jpg", item("1"))], ids)
    assert [(row["image_id"], row["category_id"]) for row in rows] == [  # type: ignore[call-overload, index]
        ("img-1", 1), ("img-1", "007"), ("img-1", "C+C"), ("img-1", "stranger"), (7, 1),
    ]  # fmt: skip


def test_an_image_that_the_truth_lacks_is_named(truth: Path) -> None:
    with pytest.raises(UserError) as raised:
        writing.results([basket("elsewhere/z.jpg", item("1"))], Ids.like(truth))
    assert str(raised.value) == "elsewhere/z.jpg: not in the list of images. Give the images that the truth lists."


def test_an_accent_in_a_file_name_is_the_same_however_it_is_written() -> None:
    composed, decomposed = "th\u00e9.jpg", "the\u0301.jpg"
    rows = writing.results([basket(decomposed, item("1"))], Ids({composed: 3}, {}))
    assert rows[0]["image_id"] == 3  # type: ignore[call-overload, index]


@pytest.mark.parametrize("product", HOSTILE)
def test_a_product_can_be_called_anything(product: str, tmp_path: Path) -> None:
    made = [basket("a.jpg", item(product, name=product), item(product, unknown=True))]
    for kind in ("csv", "json", "coco"):
        writing.write(tmp_path / kind, made, kind)
    with (tmp_path / "csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == list(writing.COLUMNS)
    assert [(row["image"], row["product"], row["name"], row["count"]) for row in rows] == [
        ("a.jpg", product, product, "1"),
        ("a.jpg", "", "unknown", "1"),
    ]
    (document,) = json.loads((tmp_path / "json").read_text(encoding="utf-8"))
    assert document["basket"][0]["product"] == product
    first, second = json.loads((tmp_path / "coco").read_text(encoding="utf-8"))
    assert str(first["category_id"]) == str(second["category_id"]) and first["bbox"] == [10, 20, 30, 40]


def test_a_list_opens_in_a_spreadsheet_as_utf_8(tmp_path: Path) -> None:
    writing.write(tmp_path / "list.csv", [basket("a.jpg", item("1", name="龙井茶"))], "csv")
    assert (tmp_path / "list.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def test_an_empty_counter_is_an_empty_list(tmp_path: Path) -> None:
    for kind, expected in (("coco", []), ("json", [basket("a.jpg").as_json()])):
        writing.write(tmp_path / kind, [basket("a.jpg")], kind)
        assert json.loads((tmp_path / kind).read_text()) == json.loads(json.dumps(expected))
    writing.write(tmp_path / "csv", [basket("a.jpg")], "csv")
    assert (tmp_path / "csv").read_text(encoding="utf-8-sig").splitlines() == ["image,product,name,barcode,count"]


def test_a_sheet_has_every_image_that_can_be_read(tmp_path: Path) -> None:
    made = []
    for n, size in enumerate([(60, 40), (1, 1), (2000, 100)]):
        Image.fromarray(np.full((size[1], size[0], 3), 40 * n, np.uint8)).save(tmp_path / f"{n}.png")
        made.append(Basket(str(tmp_path / f"{n}.png"), size, (item("C+C", name="a → b"), item("1", unknown=True)) if n == 0 else ()))
    writing.write_sheet(tmp_path / "sheet.png", made, synthetic=True)
    writing.write_sheet(tmp_path / "sheet.jpg", made, synthetic=False)
    with Image.open(tmp_path / "sheet.png") as png, Image.open(tmp_path / "sheet.jpg") as jpeg:
        assert (png.format, jpeg.format) == ("PNG", "JPEG") and png.size == jpeg.size
        assert png.width == writing.SIDE + 380, "the widest, shrunk, and its list beside it"
        pixels = np.asarray(png.convert("RGB"))
    known = np.all(np.abs(pixels.astype(int) - writing.COLOURS[0]) < 3, axis=2)
    unknown = np.all(np.abs(pixels.astype(int) - writing.COLOURS[1]) < 3, axis=2)
    assert known.any() and unknown.any(), "what is known and what is not differ in colour"


def test_a_sheet_of_nothing_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"sheet.png: not one image can be read\. Check the images\."):
        writing.write_sheet(tmp_path / "sheet.png", [basket("gone.jpg", error="no such file")], synthetic=False)
    assert not list(tmp_path.iterdir())
