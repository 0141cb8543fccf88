"""The split file: written, read back the same, readable without us, and refused when it does not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from repr.catalog.table import Catalog
from repr.errors import UserError
from rpc_transfer.draw import make_split, with_validation
from rpc_transfer.protocol import Split, SplitFile, image_ids, read_split

Shop = Callable[..., Catalog]


@pytest.fixture
def catalog(shop: Shop, tmp_path: Path) -> Catalog:
    catalog = shop([3, 4], root=tmp_path)
    for file in catalog.files():
        file.parent.mkdir(exist_ok=True)
        file.touch()
    return catalog


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return bool(np.array_equal(a, b)) if isinstance(a, np.ndarray) else bool(a == b)


@pytest.mark.parametrize("test_on", ["test", "validation"])
def test_round_trip(catalog: Catalog, tmp_path: Path, test_on: Any) -> None:
    split = make_split(catalog, novel=3, shots=4, seeds=[0, 2], unknown=1, increments="1,2", test_on=test_on)
    SplitFile.of(split, catalog).write(tmp_path / "split.json")
    back = read_split(tmp_path / "split.json", catalog)
    for field in fields(Split):
        if field.name in ("supercategories", "names"):
            continue  # the file has those of its own products alone
        assert same(getattr(back, field.name), getattr(split, field.name)), field.name


def test_validation_images_come_back_from_the_file_and_are_not_drawn_again(shop: Shop, catalog: Catalog, tmp_path: Path) -> None:
    split = with_validation(catalog, make_split(catalog, novel=3, shots=4, seeds=[0, 2]))
    SplitFile.of(split, catalog).write(tmp_path / "split.json")
    back = read_split(tmp_path / "split.json", catalog)
    assert same(back.validation, split.validation) and all(len(rows) == 8 for of in back.validation.values() for rows in of.values())
    fewer = {seed: {product: rows[:1] for product, rows in of.items()} for seed, of in split.validation.items()}
    assert with_validation(catalog, replace(back, validation=fewer)).validation == fewer
    content = json.loads((tmp_path / "split.json").read_text(encoding="utf-8"))
    content["validation"][1]["images"] = content["support"][1]["images"]
    (tmp_path / "split.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="validation images of seed 2 are of photographs of its shots"):
        read_split(tmp_path / "split.json", catalog)


def test_another_tool_can_read_it(catalog: Catalog, tmp_path: Path) -> None:
    split = make_split(catalog, novel=2, shots=4, seeds=[0])
    SplitFile.of(split, catalog).write(tmp_path / "split.json")
    content = json.loads((tmp_path / "split.json").read_text(encoding="utf-8"))
    images = content["support"][0]["images"][content["novel"][0]]
    assert len(images) == 4 and all((tmp_path / image).is_file() for image in images)
    assert content["products"][content["novel"][0]]["supercategory"] in ("supercategory 0", "supercategory 1")


def test_images_with_several_products_carry_their_box(shop: Shop) -> None:
    ids = image_ids(shop([4], train=1, test=1, boxes=2))
    assert ids[0] == "train/0_0.jpg"
    assert ids[1] == "test/0_0.jpg#xywh=0,0,5,5"
    assert len(set(ids)) == len(ids)


def written(catalog: Catalog, path: Path, **changes: Any) -> Path:
    SplitFile.of(make_split(catalog, novel=2, shots=4, seeds=[0]), catalog).write(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return path


def test_a_split_of_another_set_is_refused(shop: Shop, catalog: Catalog, tmp_path: Path) -> None:
    path = written(catalog, tmp_path / "split.json")
    with pytest.raises(UserError, match="a split of another set"):
        read_split(path, shop([2, 2], root=tmp_path))


def test_images_that_are_not_in_the_set_are_named(shop: Shop, catalog: Catalog, tmp_path: Path) -> None:
    path = written(catalog, tmp_path / "split.json")
    with pytest.raises(UserError, match=r"7 of its 49 images are not in the set, the first is test/0_2.jpg"):
        read_split(path, shop([3, 4], test=2, root=tmp_path))


def test_images_that_are_gone_from_the_disk_are_named(catalog: Catalog, tmp_path: Path) -> None:
    path = written(catalog, tmp_path / "split.json")
    (tmp_path / "test" / "0_2.jpg").unlink()
    with pytest.raises(UserError, match=r"1 of its images are gone from the disk, the first is .*test/0_2.jpg"):
        read_split(path, catalog)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "coco"}, "not a split file"),
        ({"version": 99}, "newer version"),
        ({"version": "first"}, "missing or wrong field"),
        ({"base": []}, "no product in base"),
        ({"novel": [], "increments": []}, "no product in novel"),
        ({"increments": [["1"]]}, "increments are not the novel products"),
        ({"tests": []}, "not of the same seeds"),
        ({"shots": None}, "missing or wrong field"),
        ({"shots": 5}, "fewer shots than the file says"),
        ({"products": {}}, "nothing is said in products of"),
        ({"base_shots": "some"}, "base_shots is 'some'"),
        ({"support": [{"seed": 0, "images": {}}]}, "no list of images is there for product"),
    ],
)
def test_files_that_are_wrong(catalog: Catalog, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_split(written(catalog, tmp_path / "split.json", **changes), catalog)


def test_a_step_without_products_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    novel = json.loads(written(catalog, tmp_path / "split.json").read_text())["novel"]
    with pytest.raises(UserError, match="no product in one of its increments"):
        read_split(written(catalog, tmp_path / "split.json", increments=[[], novel]), catalog)


def test_a_split_with_nothing_to_test_on_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    path = written(catalog, tmp_path / "split.json")
    content = json.loads(path.read_text())
    for product in content["novel"]:
        content["tests"][0]["images"][product] = []
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="seed 0 has no test images of novel products"):
        read_split(path, catalog)


def test_a_shot_that_is_also_a_test_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    path = written(catalog, tmp_path / "split.json")
    content = json.loads(path.read_text())
    content["tests"][0]["images"] = {key: content["support"][0]["images"][key] for key in content["tests"][0]["images"]}
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="are shots and tests"):
        read_split(path, catalog)


def test_the_tests_of_a_seed_are_listed_in_the_order_that_trials_count_in(catalog: Catalog) -> None:
    split = make_split(catalog, novel=3, shots=4, seeds=[0, 2], unknown=1)
    ids = image_ids(catalog)
    rows = [row for product in (*split.base, *split.novel, *split.unknown) for row in split.tests[2][product]]
    assert SplitFile.of(split, catalog).test_images(2) == [ids[row] for row in rows]


def test_seeds_share_tests_in_the_file_only_where_they_do(catalog: Catalog) -> None:
    official = SplitFile.of(make_split(catalog, novel=3, shots=4, seeds=[0, 2]), catalog)
    assert [entry.seeds for entry in official.tests] == [(0, 2)]
    drawn = SplitFile.of(make_split(catalog, novel=3, shots=4, seeds=[0, 2], test_on="validation"), catalog)
    assert [entry.seeds for entry in drawn.tests] == [(0,), (2,)]


def test_the_key_is_of_what_is_taught_and_tested(catalog: Catalog) -> None:
    """Fewer shots are the first of more; another seed, other products, steps or tests are another split."""
    options: dict[str, Any] = {"novel": 3, "seeds": [0, 1]}
    four, two = (SplitFile.of(make_split(catalog, shots=shots, **options), catalog) for shots in (4, 2))
    assert four.key(0, 2) == two.key(0, 2) and four.key(0, 4) != four.key(0, 2) != four.key(1, 2)
    for changed in ({"split_seed": 1}, {"increments": "1,2"}, {"test_on": "validation"}, {"base_shots": 5}):
        assert SplitFile.of(make_split(catalog, shots=4, **options, **changed), catalog).key(0, 4) != four.key(0, 4), changed
    own = SplitFile.of(make_split(catalog, shots=4, base_shots=3, **options), catalog)
    fewer = SplitFile.of(make_split(catalog, shots=2, base_shots=3, **options), catalog)
    assert own.key(0, 2) == fewer.key(0, 2), "base products keep their own number of shots"
