"""Exemplars by product, the masks that the records have, and categories that keep the ids of whoever made them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repr.catalog.jsonfile import id_value
from repr.errors import UserError
from rpc_transfer.checkout.cutouts import cut_out
from rpc_transfer.checkout.exemplars import categories_of, exemplars_of, read_exemplars

SQUARE = [4.0, 4.0, 24.0, 4.0, 24.0, 24.0, 4.0, 24.0]


def rpc(root: Path, masks: list[object], splits: tuple[str, ...] = ("train",)) -> Path:
    """One category; an image and a box for each of `masks`, which is its segmentation."""
    for split in splits:
        folder = root / f"{split}2019"
        folder.mkdir(parents=True)
        images, annotations = [], []
        for n, mask in enumerate(masks, 1):
            Image.fromarray(np.random.default_rng(n).integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(folder / f"{n}.png")
            images.append({"id": n, "file_name": f"{n}.png", "width": 32, "height": 32})
            annotations.append({"id": n, "image_id": n, "category_id": 5, "bbox": [2, 2, 26, 26], "segmentation": mask, "iscrowd": 0})
        content = {"categories": [{"id": 5, "name": "5_tea", "supercategory": "drink"}], "images": images, "annotations": annotations}
        (root / f"instances_{split}2019.json").write_text(json.dumps(content))
    return root


def folders(root: Path, names: list[str], images: int = 1) -> Path:
    for name in names:
        (root / name).mkdir(parents=True)
        for n in range(images):
            Image.fromarray(np.full((8, 8, 3), 20 * n, np.uint8)).save(root / name / f"{n}.png")
    return root


@pytest.mark.parametrize(
    ("text", "value"),
    [("7", 7), ("0", 0), ("007", "007"), ("-1", "-1"), ("nan", "nan"), ("1e3", "1e3"), ("", ""), ("٣", "٣"), ("C+C", "C+C"), ("²", "²")],
)
def test_an_id_is_a_number_only_where_it_is_written_as_one(text: str, value: object) -> None:
    assert id_value(text) == value and str(id_value(text)) == text


def test_products_of_any_name_keep_it_numbers_first(tmp_path: Path) -> None:
    names = ["A: dairy", "-1", "C+C", "10", "9", "nan", "a → b", "007"]
    made = categories_of(read_exemplars([folders(tmp_path / "shop", names)], "train"))
    assert list(made.ids.values()) == [9, 10, "-1", "007", "A: dairy", "C+C", "a → b", "nan"]
    assert made.ids == {name: int(name) if name in ("9", "10") else name for name in names}
    document = made.as_json()
    assert [row["id"] for row in document["categories"]] == list(made.ids.values())  # type: ignore[union-attr, index, call-overload]
    assert {row["category_id"] for row in document["__raw_Chinese_name_df"]} == set(made.ids.values())  # type: ignore[union-attr, index, call-overload]


def test_supercategory_and_name_are_those_of_the_source(tmp_path: Path) -> None:
    (row,) = categories_of(read_exemplars([rpc(tmp_path / "rpc", [[[]]])], "train")).rows
    assert row == {"supercategory": "drink", "id": 5, "name": "5_tea"}


def test_masks_are_taken_where_they_are_polygons(tmp_path: Path) -> None:
    """RPC writes [[]]; a run-length mask is not read; two points are no area."""
    masks = [[SQUARE], [[]], {"size": [32, 32], "counts": "abc"}, [[1.0, 1.0, 2.0, 2.0]], None]
    catalog = read_exemplars([rpc(tmp_path / "rpc", masks)], "train")
    chosen = {one.file.name: one for one in exemplars_of(catalog, 10, np.random.default_rng(0))["5"]}
    assert [bool(chosen[f"{n}.png"].polygons) for n in range(1, 6)] == [True, False, False, False, False]
    cut = cut_out(chosen["1.png"], "ground", 1.0)
    assert cut.shape == (21, 21, 4) and (cut[..., 3] == 255).all(), "the square alone, its corners within"
    with Image.open(chosen["1.png"].file) as image:
        np.testing.assert_array_equal(cut[..., :3], np.asarray(image)[4:25, 4:25])


def test_some_of_many_are_drawn_evenly_and_by_the_seed(tmp_path: Path) -> None:
    catalog = read_exemplars([folders(tmp_path / "shop", ["a", "b"], images=12)], "train")
    times = np.zeros(12)
    for seed in range(60):
        drawn = exemplars_of(catalog, 4, np.random.default_rng(seed))
        assert [len(some) for some in drawn.values()] == [4, 4] and len({one.file for one in drawn["a"]}) == 4
        assert drawn == exemplars_of(catalog, 4, np.random.default_rng(seed))
        times += [any(one.file.stem == str(n) for one in drawn["a"]) for n in range(12)]
    assert times.min() >= 8 and times.max() <= 34, "20 each in the mean; binomial with a standard deviation of 3.7"
    assert len(exemplars_of(catalog, 99, np.random.default_rng(0))["b"]) == 12


def test_a_part_that_is_not_there(tmp_path: Path) -> None:
    root = rpc(tmp_path / "rpc", [[[]]], splits=("train", "val"))
    assert len(read_exemplars([root], "val")) == 1
    with pytest.raises(UserError, match="no exemplars in the part test"):
        read_exemplars([root], "test")
    with pytest.raises(UserError, match="no exemplars in the part val"):
        read_exemplars([folders(tmp_path / "shop", ["a"])], "val")
