"""The checkout part in RPC's format: bar codes, plans, file names, annotations."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from repr.synthetic.exemplars import SIZE
from repr.synthetic.identity import skus
from repr.synthetic.rpc import Drawn, Scene, barcode, draw_checkout, draw_sku, folders, plan, write_annotations
from repr.synthetic.scenes import LEVELS, RPC
from repr.synthetic.vocabulary import SUPERCATEGORIES

EVERY = sorted(skus(0))


@given(st.integers(0, 99_999))
def test_bar_codes_are_ean_13_for_a_shops_own_use(category: int) -> None:
    """The check digit by GS1's rule: from the right, weights 3, 1, 3, … and the sum of all to a multiple of ten."""
    code = str(barcode(category))
    assert len(code) == 13 and 200 <= int(code[:3]) <= 299
    weighted = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(code[:-1])))
    assert (weighted + int(code[-1])) % 10 == 0


def test_a_bar_code_known_by_hand() -> None:
    """2+9+0+0+0+0 = 11 at weight 1; 6+0+0+0+0+1 = 7 at weight 3: 32, so 8."""
    assert barcode(1) == 2690000000018


def test_bar_codes_differ() -> None:
    assert len({barcode(category) for category in range(1, 201)}) == 200


@pytest.fixture(scope="module")
def planned() -> list[Scene]:
    return plan({"val": 12, "test": 18}, EVERY, 0)


def test_a_plan_has_the_levels_in_equal_parts_and_two_takes_of_each_list(planned: list[Scene]) -> None:
    assert Counter(scene.split for scene in planned) == {"val": 12, "test": 18}
    for split, total in (("val", 12), ("test", 18)):
        scenes = [scene for scene in planned if scene.split == split]
        assert [scene.number for scene in scenes] == list(range(total))
        assert Counter(scene.level for scene in scenes) == dict.fromkeys(LEVELS, total // 3)
        for first, second in zip(scenes[::2], scenes[1::2], strict=True):
            assert first.basket == second.basket and first.level == second.level and first.name != second.name
    assert len({scene.basket for scene in planned}) == 15


def test_scenes_are_named_by_their_time_and_list(planned: list[Scene]) -> None:
    names = [scene.name for scene in planned]
    assert len(set(names)) == len(names) and all(re.fullmatch(r"2018\d{4}-\d\d-\d\d-\d\d-\d+\.jpg", name) for name in names)
    for split in ("val", "test"):
        times = [scene.name[:17] for scene in planned if scene.split == split]
        assert times == sorted(times)
    assert all(596 <= scene.side < 612 for scene in planned)


def test_a_plan_follows_the_seed(planned: list[Scene]) -> None:
    assert plan({"val": 12, "test": 18}, EVERY, 0) == planned != plan({"val": 12, "test": 18}, EVERY, 1)
    assert plan({"val": 12, "test": 6}, EVERY, 0)[:12] == planned[:12], "a split does not depend on the next"


def test_a_plan_and_its_annotations_keep_to_the_skus_that_are_sold(tmp_path: Path) -> None:
    sold = EVERY[::40]
    scenes = plan({"val": 6}, sold, 0)
    assert {category for scene in scenes for category in scene.basket} <= set(sold)
    write_annotations(tmp_path, "val", [], sold, 0)
    content = json.loads((tmp_path / "instances_val2019.json").read_text(encoding="utf-8"))
    assert [category["id"] for category in content["categories"]] == sold
    assert [row["category_id"] for row in content["__raw_Chinese_name_df"]] == sold


def test_exemplars_are_named_by_code_side_camera_and_turn(tmp_path: Path) -> None:
    folders(tmp_path)
    category = next(c for c, product in skus(0).items() if product.form.backs)
    drawn = draw_sku(tmp_path, category, 9, 0)
    assert len({one.file_name for one in drawn}) == 9
    for one in drawn:
        code, _back, camera, turn = re.fullmatch(r"(\d{13})(-back)?_camera(\d)-(\d+)\.jpg", one.file_name).groups()  # type: ignore[union-attr]
        assert int(code) == barcode(category) and camera in "0123" and 1 <= int(turn) <= 40
        ((labelled, (x, y, width, height), point),) = one.objects
        assert labelled == category and point == (x + width / 2, y + height / 2) and one.level is None
        with Image.open(tmp_path / "train2019" / one.file_name) as image:
            assert image.size == SIZE == (one.width, one.height)
    assert sum("-back" in one.file_name for one in drawn) == 1
    before = [(tmp_path / "train2019" / one.file_name).read_bytes() for one in drawn]
    assert draw_sku(tmp_path, category, 9, 0) == drawn
    assert [(tmp_path / "train2019" / one.file_name).read_bytes() for one in drawn] == before


def test_two_takes_of_a_list_lie_otherwise(tmp_path: Path, planned: list[Scene]) -> None:
    folders(tmp_path)
    ((first,), (second,)) = (draw_checkout(tmp_path, scene, 0, RPC) for scene in planned[:2])
    assert Counter(category for category, _, _ in first.objects) == Counter(planned[0].basket)
    assert sorted(category for category, _, _ in first.objects) == sorted(category for category, _, _ in second.objects)
    assert {box for _, box, _ in first.objects} != {box for _, box, _ in second.objects}
    with Image.open(tmp_path / "val2019" / first.file_name) as image:
        assert image.size == (planned[0].side,) * 2 == (first.width, first.height)
    assert first.level == planned[0].level


DRAWN = [
    Drawn("a.jpg", 30, 20, None, [(7, (1.0, 2.0, 3.0, 4.0), (2.5, 4.0))]),
    Drawn("b.jpg", 60, 60, "easy", [(3, (0.0, 0.0, 5.0, 6.0), (1.0, 1.0)), (3, (9.0, 9.0, 2.0, 2.0), (9.0, 9.0))]),
]


def test_annotations_are_cocos_with_rpcs_own_keys(tmp_path: Path) -> None:
    write_annotations(tmp_path, "val", DRAWN, EVERY, 0)
    content = json.loads((tmp_path / "instances_val2019.json").read_text(encoding="utf-8"))
    assert list(content) == ["info", "licenses", "categories", "__raw_Chinese_name_df", "images", "annotations"]
    assert content["images"] == [
        {"file_name": "a.jpg", "width": 30, "height": 20, "id": 0},
        {"file_name": "b.jpg", "width": 60, "height": 60, "id": 1, "level": "easy"},
    ]
    assert [(a["id"], a["image_id"], a["category_id"], a["area"]) for a in content["annotations"]] == [
        (0, 0, 7, 12.0),
        (1, 1, 3, 30.0),
        (2, 1, 3, 4.0),
    ]
    assert content["annotations"][0]["bbox"] == [1.0, 2.0, 3.0, 4.0] and content["annotations"][0]["point_xy"] == [2.5, 4.0]
    assert all(a["iscrowd"] == 0 and a["segmentation"] == [[]] for a in content["annotations"])


def test_products_are_named_in_chinese_with_their_codes(tmp_path: Path) -> None:
    write_annotations(tmp_path, "test", [], EVERY, 3)
    content = json.loads((tmp_path / "instances_test2019.json").read_text(encoding="utf-8"))
    chinese = {supercategory.name: supercategory.chinese for supercategory in SUPERCATEGORIES}
    for category, row in zip(content["categories"], content["__raw_Chinese_name_df"], strict=True):
        product = skus(3)[category["id"]]
        assert category["name"] == f"{category['id']}_{product.supercategory}" == row["sku_name"]
        assert (row["name"], row["clas"], row["code"]) == (product.title, chinese[product.supercategory], barcode(category["id"]))
    assert [row["ind"] for row in content["__raw_Chinese_name_df"]] == list(range(200))
