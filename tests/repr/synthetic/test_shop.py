"""The synthetic shop against the numbers of the real formats (facts on MEP-3M and RPC), and how hard it is."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from repr.catalog.sources import open_data
from repr.errors import UserError
from repr.images.reader import read_image, square
from repr.synthetic import shop
from repr.synthetic.identity import skus
from repr.synthetic.rpc import barcode

# RPC's seventeen supercategories and how many of its 200 SKUs each has.
SUPERCATEGORIES = {
    **{"puffed_food": 12, "dried_fruit": 9, "dried_food": 9, "instant_drink": 11, "instant_noodles": 12, "dessert": 17, "drink": 15},
    **{"alcohol": 11, "milk": 11, "canned_food": 14, "chocolate": 12, "gum": 8, "candy": 10, "seasoner": 12, "personal_hygiene": 10},
    **{"tissue": 20, "stationery": 7},
}
LEVELS = {"easy": ((3, 5), (3, 10)), "medium": ((5, 8), (10, 15)), "hard": ((8, 10), (15, 20))}


@pytest.fixture(scope="module")
def shop_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(shop.SCALES, "tiny", shop.Scale(230, 5, 6, 6, 1_000_000))
        return shop.draw_shop(tmp_path_factory.mktemp("synthetic") / "shop", scale="tiny")


@pytest.fixture(scope="module")
def records(shop_folder: Path) -> list[dict[str, Any]]:
    return list(json.loads((shop_folder / "mep3m" / "annotation.json").read_text(encoding="utf-8")))


def coco(shop_folder: Path, split: str) -> dict[str, Any]:
    return dict(json.loads((shop_folder / "rpc" / f"instances_{split}2019.json").read_text(encoding="utf-8")))


def test_the_web_shop_is_in_mep3ms_format(shop_folder: Path, records: list[dict[str, Any]], shared: Path) -> None:
    real = json.loads((shared / "mep3m" / "annotations-1k.json").read_text(encoding="utf-8"))[0]
    assert all(list(record) == list(real) for record in records)
    assert {type(value) for value in records[0].values()} == {type(value) for value in real.values()}
    assert len({record["sub_class_id"] for record in records}) == 26
    for record in records[::20]:
        side = record["img_resolution"][0]
        with Image.open(shop_folder / "mep3m" / record["img_path"]) as image:
            assert image.size == (side, side)
            assert image.format == ("PNG" if record["img_path"].endswith("png") else "JPEG")


def test_the_web_shop_has_the_real_files_oddities(records: list[dict[str, Any]]) -> None:
    assert {record["img_resolution"][0] for record in records} == {75, 220}
    assert {Path(record["img_path"]).suffix for record in records} == {".jpg", ".png"}
    assert {"FALSE"} < {record["OCR"] for record in records}
    assert {"FALSE"} < {record["subsub_class_id"] for record in records}
    tail = sorted(Counter(record["sub_class_id"] for record in records).values())
    assert tail[-1] > 4 * tail[0], "long-tailed"
    assert 35 < np.mean([len(record["title"]) for record in records]) < 65


def test_the_subset_of_the_paper_is_all_of_it(shop_folder: Path) -> None:
    catalog = open_data([shop_folder / "mep3m"], subset="mep-for-rpc")
    assert catalog.synthetic and len(set(catalog.column("class_2"))) == 26


def test_the_checkout_part_has_rpcs_products(shop_folder: Path) -> None:
    content = coco(shop_folder, "train")
    assert list(content) == ["info", "licenses", "categories", "__raw_Chinese_name_df", "images", "annotations"]
    assert [category["id"] for category in content["categories"]] == list(range(1, 201))
    assert Counter(category["supercategory"] for category in content["categories"]) == SUPERCATEGORIES
    assert [row["sku_name"] for row in content["__raw_Chinese_name_df"]] == [c["name"] for c in content["categories"]]
    shares = [a["area"] / (image["width"] * image["height"]) for a, image in zip(content["annotations"], content["images"], strict=True)]
    assert min(shares) > 0.005 and max(shares) < 0.10, "the product is small in the frame"
    assert {image["file_name"].split("camera")[1][0] for image in content["images"]} == set("0123")


@pytest.mark.parametrize("split", ["val", "test"])
def test_checkouts_keep_to_their_level(shop_folder: Path, split: str) -> None:
    content = coco(shop_folder, split)
    found = Counter(image["level"] for image in content["images"])
    assert len(found) == 3 and len(set(found.values())) == 1
    for image in content["images"]:
        mine = [a for a in content["annotations"] if a["image_id"] == image["id"]]
        (fewest, most), (few, many) = LEVELS[image["level"]]
        assert fewest <= len({a["category_id"] for a in mine}) <= most and few <= len(mine) <= many
        for a in mine:
            x, y, width, height = a["bbox"]
            assert x >= 0 and y >= 0 and x + width <= image["width"] and y + height <= image["height"]
            px, py = a["point_xy"]
            assert x <= px <= x + width and y <= py <= y + height
            assert a["segmentation"] == [[]] and a["iscrowd"] == 0 and a["area"] == pytest.approx(width * height)


def test_products_are_hard_to_tell_by_their_pixels(shop_folder: Path) -> None:
    """Nearest neighbour on raw pixels among the exemplars, asked with crops of checkouts: above chance, under 30 %."""
    catalog = open_data([shop_folder / "rpc"])
    labels, split, boxes = catalog.product_labels()[0], catalog.column("split"), catalog.boxes()

    def pixels(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        found = [square(read_image(catalog.file(i), short_side=32, box=boxes[i]), 32, "crop") for i in rows]
        return np.stack(found).reshape(len(rows), -1).astype(np.float32)

    shots, tests = np.flatnonzero(split == "train"), np.flatnonzero(split == "test")
    gallery, queries = pixels(shots), pixels(tests)
    squared = (gallery**2).sum(axis=1) - 2 * queries @ gallery.T
    right = np.mean(labels[shots][squared.argmin(axis=1)] == labels[tests])
    assert 1 / 200 < right < 0.30


def test_barcodes_have_a_right_check_digit() -> None:
    digits = [int(d) for d in str(barcode(7))]
    assert len(digits) == 13 and sum(digits[::2]) % 10 == (-3 * sum(digits[1::2])) % 10


@pytest.mark.slow
def test_the_seed_decides_however_many_draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(shop.SCALES, "tiny", shop.Scale(208, 1, 6, 6, 1_000_000, 20))

    def drawn(name: str, **options: Any) -> dict[str, bytes]:
        folder = shop.draw_shop(tmp_path / name, scale="tiny", **options)
        return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

    assert drawn("one", workers=1) == drawn("two", workers=2)
    assert skus(0) == skus(0) != skus(1)


@pytest.mark.slow
def test_parts_drawn_one_after_the_other_are_those_drawn_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(shop.SCALES, "tiny", shop.Scale(208, 1, 6, 6, 1_000_000, 20))
    whole = shop.draw_shop(tmp_path / "whole", scale="tiny")
    folder = shop.draw_shop(tmp_path / "parts", scale="tiny", parts=["rpc"])
    assert sorted(path.name for path in folder.iterdir()) == ["rpc", "synthetic.json"]
    before = (folder / "rpc" / "instances_train2019.json").stat().st_mtime_ns
    shop.draw_shop(folder, scale="tiny")
    assert (folder / "rpc" / "instances_train2019.json").stat().st_mtime_ns == before, "what is there is kept"
    for file in whole.rglob("*"):
        assert not file.is_file() or (folder / file.relative_to(whole)).read_bytes() == file.read_bytes()


def killed(*_: object) -> None:
    """What the system does to a process that takes too much memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_is_an_error_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop.rpc, "draw_sku", killed)
    with pytest.raises(UserError, match="was killed"):
        shop.draw_shop(tmp_path / "shop", scale="tiny", parts=["rpc"], workers=2)
    assert list(tmp_path.iterdir()) == []


def test_nothing_else_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(UserError, match="something else here"):
        shop.draw_shop(tmp_path, scale="tiny")
    with pytest.raises(UserError, match=r"no such scale: tinny.*Did you mean tiny"):
        shop.draw_shop(tmp_path / "new", scale="tinny")
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.slow
def test_another_shop_is_not_drawn_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a user keeps beside the images would go with them."""
    monkeypatch.setitem(shop.SCALES, "tiny", shop.Scale(208, 1, 6, 6, 1_000_000, 20))
    folder = shop.draw_shop(tmp_path / "shop", scale="tiny")
    (folder / "part.parquet").write_text("x")
    for other in ({"seed": 1, "scale": "tiny"}, {"scale": "full"}):
        with pytest.raises(UserError, match="synthetic shop of another seed, scale or version"):
            shop.draw_shop(folder, **other)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="something else here"):
        shop.draw_shop(folder / "rpc", scale="tiny")
    assert shop.draw_shop(folder, scale="tiny") == folder and (folder / "part.parquet").exists()
