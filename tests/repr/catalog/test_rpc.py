"""RPC's layout: real sets in it, files made in its form, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from repr.catalog import rpc
from repr.errors import UserError

CATEGORIES = [
    {"supercategory": "puffed_food", "id": 1, "name": "1_puffed_food"},
    {"supercategory": "drink", "id": 2, "name": "2_drink"},
    {"supercategory": "puffed_food", "id": 11, "name": "11_puffed_food"},
]
NAMES = [
    {
        "sku_name": "1_puffed_food",
        "category_id": 1,
        "sku_class": "puffed_food",
        "code": 6909409012031,
        "name": "peas",
        "clas": "x",
        "known": True,
    }
]


def box(category: int, xywh: list[float], image: int = 7, id_: int = 1) -> dict[str, Any]:
    area = xywh[-1] * xywh[-2]
    return {"area": area, "bbox": xywh, "category_id": category, "id": id_, "image_id": image, "iscrowd": 0, "segmentation": [[]]}


def layout(root: Path, split: str = "val", *, bom: bool = False, **changes: Any) -> Path:
    content = {
        "info": {},
        "licenses": [],
        "categories": CATEGORIES,
        "__raw_Chinese_name_df": NAMES,
        "images": [{"file_name": "20180912-14-02-35-410.jpg", "width": 1860, "height": 1859, "id": 7, "level": "hard"}],
        "annotations": [box(1, [10.5, 20, 100, 50]), box(11, [0, 0, 1860, 1859])],
    } | changes
    root.mkdir(exist_ok=True)
    text = json.dumps(content, ensure_ascii=False)
    (root / f"instances_{split}2019.json").write_text(text, encoding="utf-8-sig" if bom else "utf-8")
    return root


@pytest.mark.parametrize("bom", [False, True])
def test_scenes_give_a_row_a_box(tmp_path: Path, bom: bool) -> None:
    catalog = rpc.read(layout(tmp_path / "r", bom=bom))
    assert catalog.table["path"].to_pylist() == ["val2019/20180912-14-02-35-410.jpg"] * 2
    assert catalog.boxes() == [(10.5, 20, 100, 50), None]
    assert catalog.table["product"].to_pylist() == ["1", "11"]
    assert catalog.table["scene"].to_pylist() == ["hard", "hard"]
    assert catalog.table["split"].to_pylist() == ["val", "val"]
    assert catalog.table["name"].to_pylist() == ["peas", "11_puffed_food"]
    assert catalog.table["barcode"].to_pylist() == ["6909409012031", None]
    assert [catalog.classes[1][code].name for code in catalog.column("class_2")] == ["1_puffed_food", "11_puffed_food"]
    assert catalog.labels(1)[1] == ("puffed_food",)


def test_grocery(shared: Path) -> None:
    catalog = rpc.read(shared / "grocery")
    assert len(catalog) == 5421
    assert [len(level) for level in catalog.classes] == [43, 81, 0]
    names, counts = np.unique(catalog.column("split").astype(str), return_counts=True)
    assert dict(zip(names, counts, strict=True)) == {"train": 2640, "val": 296, "test": 2485}
    assert catalog.table["box"].null_count == 5421
    assert catalog.product_labels()[1] == tuple(str(n) for n in range(1, 82))
    assert len(set(catalog.files())) == 5421  # one name in two folders is two images
    assert all(file.exists() for file in catalog.files()[::97])


def test_fruits_have_no_val(shared: Path) -> None:
    assert set(rpc.read(shared / "fruits").column("split")) == {"train", "test"}


def test_ids_need_not_begin_at_one_and_metas_may_be_absent(tmp_path: Path) -> None:
    catalog = rpc.read(layout(tmp_path, categories=[{"id": 0, "name": "a"}, {"id": 90, "name": "b"}], annotations=[box(90, [0, 0, 9, 9])]))
    assert catalog.table["product"].to_pylist() == ["90"]
    assert catalog.column("class_1").tolist() == [-1]


def test_images_without_a_box_are_noted(tmp_path: Path) -> None:
    images = [{"file_name": f"{n}.jpg", "width": 100, "height": 100, "id": n} for n in (1, 2, 3)]
    catalog = rpc.read(layout(tmp_path, images=images, annotations=[box(1, [0, 0, 9, 9], image=2)]))
    assert [(one.reason, one.count) for one in catalog.passed_over] == [("images without a box", 2)]


def test_a_box_is_clipped_to_its_image(tmp_path: Path) -> None:
    assert rpc.read(layout(tmp_path, annotations=[box(1, [-1.5, 5, 20, 1855])])).boxes() == [(0, 5, 18.5, 1854)]


@pytest.mark.parametrize(
    ("changes", "place", "words"),
    [
        ({"annotations": [box(1, [0, 0, 9, 9]), box(3, [0, 0, 9, 9])]}, "record 2 of annotations", "category id 3 is not in the table"),
        ({"annotations": [box(1, [5, 5, 0, 9])]}, "", "boxes without an area"),
        ({"annotations": [box(1, [5, 5, float("nan"), 9])]}, "record 1 of annotations", "NaN, which is not JSON"),
        ({"annotations": [box(1, [5, 5, 9])]}, "record 1 of annotations", "3 numbers"),
        ({"annotations": [box(1, [0, 0, 9, 9], image=8)]}, "record 1 of annotations", "image id 8"),
        ({"annotations": [{"id": 1, "image_id": 7, "category_id": 1}]}, "record 1 of annotations", "no field bbox"),
        ({"images": [{"file_name": "../x.jpg", "width": 9, "height": 9, "id": 7}]}, "record 1 of images", "leaves the folder"),
        ({"images": [{"file_name": "x.jpg", "width": 2**40, "height": 9, "id": 7}]}, "record 1 of images", "width"),
        ({"images": [{"file_name": "x.jpg", "height": 9, "id": 7}]}, "record 1 of images", "no field width"),
        ({"categories": [*CATEGORIES, CATEGORIES[0]]}, "record 4 of categories", "twice"),
        ({"annotations": []}, "", "no annotations"),
    ],
)
def test_bad_input_is_named(tmp_path: Path, changes: dict[str, Any], place: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        rpc.read(layout(tmp_path, **changes))
    assert caught.value.where.endswith(place)
    assert caught.value.remedy


def test_the_splits_share_one_table(tmp_path: Path) -> None:
    layout(tmp_path, "train")
    layout(tmp_path, "test", categories=[CATEGORIES[0] | {"name": "1_drink"}, *CATEGORIES[1:]])
    with pytest.raises(UserError, match="'1_drink' here and '1_puffed_food'"):
        rpc.read(tmp_path)


def photographs(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def image(name: str, id_: object = 7, width: object = 100, height: object = 80) -> dict[str, Any]:
    return {"file_name": name, "width": width, "height": height, "id": id_}


@pytest.mark.parametrize(
    ("own", "written"),
    [
        ("sub/1.jpg", "sub\\1.jpg"),
        ("1.jpg", "val2019/1.jpg"),
        ("1.jpg", "shop/val2019/1.jpg"),
        ("1.jpg", "/data/sets/val2019/1.jpg"),
        ("1.jpg", "D:\\shop\\val2019\\1.jpg"),
        ("1.jpg", "1.JPG"),
    ],
)
def test_paths_as_other_tools_write_them(tmp_path: Path, own: str, written: str) -> None:
    photographs(tmp_path / "shop" / "val2019", own)
    catalog = rpc.read(layout(tmp_path / "shop", images=[image(written)], annotations=[box(1, [5, 5, 9, 9])]))
    assert catalog.file(0) == tmp_path / "shop" / "val2019" / own
    assert "spelled otherwise" in catalog.notes[0]


def test_an_absolute_path_of_nothing_says_what_was_tried(tmp_path: Path) -> None:
    photographs(tmp_path / "val2019", "1.jpg")
    with pytest.raises(UserError, match=r"'/data/2\.jpg' is absolute.*val2019"):
        rpc.read(layout(tmp_path, images=[image("/data/2.jpg")], annotations=[box(1, [5, 5, 9, 9])]))


def test_boxes_that_are_of_no_product_are_counted(tmp_path: Path) -> None:
    crowd = box(2, [0, 0, 90, 70]) | {"iscrowd": 1}
    boxes = [[5, 5, 9, 9], [5, 5, 9, 9], [5, 5, 0, 9], [5, 5, 9, -3], [200, 5, 9, 9], [-20, 5, 9, 9], [90, 5, 30, 9]]
    catalog = rpc.read(layout(tmp_path, images=[image("1.jpg")], annotations=[*(box(1, each) for each in boxes), crowd]))
    assert catalog.boxes() == [(5, 5, 9, 9), (90, 5, 10, 9)]
    assert {one.reason: one.count for one in catalog.passed_over} == {
        "boxes that are there already": 1,
        "boxes without an area": 2,
        "boxes outside their image": 2,
        "boxes of crowds (iscrowd), which are not of one product": 1,
    }
    assert catalog.notes == ("1 boxes of val2019 reach over the edge of their image and are cut there",)


def test_null_and_floats_as_others_write_them(tmp_path: Path) -> None:
    categories = [{"id": 1.0, "name": "tea", "supercategory": None}, {"id": "2", "name": "jam", "supercategory": "food"}]
    images = [image("1.jpg", 7.0, 100.0, 80.0), image("2.jpg", 8, None, None)]
    annotations = [box(1, [5, 5, 9, 9], image=7), box(2, [5, 5, 9, 9], image=8) | {"image_id": "8", "iscrowd": None}]
    catalog = rpc.read(layout(tmp_path, categories=categories, images=images, annotations=annotations))
    assert catalog.column("product").tolist() == ["1", "2"]
    assert catalog.table["width"].to_pylist() == [100, None]
    assert catalog.labels(2)[1] == ("tea", "jam") and catalog.column("class_1").tolist() == [-1, 0]


def test_one_box_under_two_products_is_said(tmp_path: Path) -> None:
    catalog = rpc.read(layout(tmp_path, annotations=[box(1, [5, 5, 9, 9]), box(2, [5, 5, 9, 9])]))
    assert len(catalog) == 2 and "1 boxes of val2019 stand under several products" in catalog.notes


def test_photographs_that_no_record_names_are_counted(tmp_path: Path) -> None:
    photographs(tmp_path / "val2019", "1.jpg", "2.jpg", ".DS_Store")
    catalog = rpc.read(layout(tmp_path, images=[image("1.jpg")], annotations=[box(1, [5, 5, 9, 9])]))
    counted = {one.reason: one.examples for one in catalog.passed_over}
    assert counted["files that no annotation names"] == ("val2019/2.jpg",) and len(counted) == 2


def test_two_records_of_one_photograph_do_not_double_its_boxes(tmp_path: Path) -> None:
    same = [image("1.jpg", 7), image("1.jpg", 8)]
    root = layout(tmp_path / "r", images=same, annotations=[box(1, [5, 5, 20, 20], 7, 1), box(1, [5, 5, 20, 20], 8, 2)])
    catalog = rpc.read(root)
    assert len(catalog) == 1
    assert [(one.reason, one.count) for one in catalog.passed_over] == [("boxes that are there already", 1)]
