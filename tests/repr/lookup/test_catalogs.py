"""From data to what an index takes in: roots, parts, ids that two sources share, and products with all that is known of them."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repr.catalog.passed import CLOSED, PassedOver
from repr.catalog.sources import open_sources
from repr.catalog.table import Catalog, ClassName, Source, build
from repr.errors import UserError
from repr.lookup.catalogs import check_opened, command_of, common_root, from_anywhere, incoming_of, own_ids, stored_part
from repr.lookup.store import Product


def shop(root: Path, names: list[str], *, seed: int = 0, images: int = 1) -> Path:
    for n, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for i in range(images):
            pixels = np.random.default_rng(100 * seed + 10 * n + i).integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i}.png")
    return root


def listed(folder: Path, rows: list[dict[str, str]], seed: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for n, row in enumerate(rows):
        if not (folder / row["image"]).exists():
            pixels = np.random.default_rng(1000 * seed + n).integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / row["image"])
    with (folder / "list.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / "list.csv"


def test_the_root_is_what_all_sources_have_in_common(tmp_path: Path) -> None:
    one, two = shop(tmp_path / "a" / "one", ["tea"]), shop(tmp_path / "a" / "two", ["jam"], seed=1)
    assert common_root(open_sources([one])) == one and common_root(open_sources([one, two])) == tmp_path / "a"


@pytest.mark.parametrize("name", ["C+C", "a → b", "A: dairy", "-1", "nan", "007", "a b"])
def test_products_of_any_name(tmp_path: Path, name: str) -> None:
    incoming, products = incoming_of(open_sources([shop(tmp_path / "shop", [name, "other"])]), tmp_path)
    assert {one.product for one in incoming} == {name, "other"} and products[name].id == name
    assert all(one.content and one.path.startswith("shop/") for one in incoming)


def test_a_prefix_parts_sources_that_call_different_products_alike(tmp_path: Path) -> None:
    one, two = shop(tmp_path / "one", ["tea", "jam"]), shop(tmp_path / "two", ["tea"], seed=1)
    both = open_sources([one, two])
    with pytest.raises(UserError) as raised:
        own_ids(both)
    assert str(raised.value).startswith("one and two: both have a product tea. Give the products other ids, or put the source's name")
    assert own_ids(both, prefix=True) == ["one:jam", "one:tea", "two:tea"]


def test_sources_that_overlap_in_an_image_or_a_name_are_of_one_product(tmp_path: Path) -> None:
    one = shop(tmp_path / "one", ["tea"])
    (tmp_path / "two" / "tea").mkdir(parents=True)
    (tmp_path / "two" / "tea" / "same.png").write_bytes((one / "tea" / "0.png").read_bytes())
    assert set(own_ids(open_sources([one, tmp_path / "two"]))) == {"tea"}
    first = listed(tmp_path / "first", [{"image": "a.png", "product": "7", "name": "Green tea"}])
    same = listed(tmp_path / "same", [{"image": "b.png", "product": "7", "name": "Green tea"}], seed=1)
    other = listed(tmp_path / "other", [{"image": "c.png", "product": "7", "name": "Black tea"}], seed=2)
    assert set(own_ids(open_sources([first, same]))) == {"7"}
    with pytest.raises(UserError, match=r"both have a product 7 \(Green tea and Black tea\)"):
        own_ids(open_sources([first, other]))


def test_what_is_known_of_a_product_comes_from_the_row_that_says_it(tmp_path: Path) -> None:
    rows = [
        {"image": "a.png", "product": "7", "class": "Tea", "name": "", "barcode": ""},
        {"image": "b.png", "product": "7", "class": "Tea", "name": "Green tea", "barcode": "690"},
        {"image": "c.png", "product": "Tea", "class": "Tea", "name": "", "barcode": ""},
    ]
    _, products = incoming_of(open_sources([listed(tmp_path / "shop", rows)]), tmp_path)
    assert products["7"] == Product("7", "Green tea", "690", ("Tea",))
    assert products["Tea"] == Product("Tea", None, None, ()), "a class that is the product itself says nothing"


def test_parts_are_taken_as_asked_and_scenes_only_then(tmp_path: Path) -> None:
    shop(tmp_path, ["tea"], images=4)
    columns: dict[str, list[object]] = {"path": [f"tea/{n}.png" for n in range(4)], "product": ["tea"] * 4, "class_1": [0] * 4}
    columns |= {"split": ["train", "train", "test", "val"], "scene": [None, None, "easy", "hard"]}
    source = Source("tea", "folders", tmp_path)
    catalog = build(columns, classes=((ClassName("1", "tea"),), (), ()), sources=(source,), default_level=1)
    chosen, said = stored_part(catalog, ())
    assert len(chosen) == 2 and said == "2 boxes of checkout scenes are left out; take them in with `part`."
    assert len(stored_part(catalog, ("test", "val"))[0]) == 2 and stored_part(catalog.select([0, 1]), ())[1] == ""
    for rows, parts, message in (
        ([2, 3], (), "no product images, only checkout scenes. Choose a `part`"),
        ([], (), "no images"),
        ([0, 1], ("val",), "no images in part val. Its parts are: train"),
    ):
        with pytest.raises(UserError, match=message.replace(".", r"\.")):
            stored_part(catalog.select(rows), parts)


def test_an_image_in_two_files_is_taken_once(tmp_path: Path) -> None:
    shop(tmp_path, ["tea"])
    (tmp_path / "tea" / "copy.png").write_bytes((tmp_path / "tea" / "0.png").read_bytes())
    assert len(stored_part(open_sources([tmp_path]), ())[0]) == 1


def test_a_folder_that_cannot_be_opened_is_not_taken_for_gone(tmp_path: Path) -> None:
    catalog: Catalog = open_sources([shop(tmp_path / "shop", ["tea", "jam"])])
    check_opened(catalog)
    closed = replace(catalog, passed_over=(PassedOver(f"{CLOSED} (permission denied)", 3, ("oil",)),))
    with pytest.raises(UserError, match="3 folders cannot be opened, such as oil, and what is stored of them would go"):
        check_opened(closed)


def test_the_command_to_be_given_again_holds_wherever_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my shop").mkdir()
    command = command_of("repr index build", ["my shop", "gone"], ["train"], "mep-for-rpc")
    assert command == f"repr index build --data '{tmp_path}/my shop' --data gone --part train --subset mep-for-rpc"
    assert from_anywhere("my shop") == str(tmp_path / "my shop") and from_anywhere("imagenet") == "imagenet"
