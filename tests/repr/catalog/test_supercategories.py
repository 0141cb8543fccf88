"""Supercategories of products: of real sets, and where there are none."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from repr.catalog import folders, rpc
from repr.catalog.supercategories import supercategories
from repr.catalog.table import ClassName, Source, build
from repr.catalog.union import union


def test_grocery_has_its_coarse_classes(shared: Path) -> None:
    catalog = rpc.read(shared / "grocery")
    found = dict(zip(catalog.product_labels()[1], supercategories(catalog), strict=True))
    assert len(found) == 81 and len(set(found.values())) == 43
    assert found["1"] == "Apple"


def test_one_to_one_is_none(shared: Path) -> None:
    assert set(supercategories(rpc.read(shared / "fruits"))) == {""}
    assert set(supercategories(folders.read(shared / "freiburg"))) == {""}


def test_nested_folders(tmp_path: Path) -> None:
    for name in ("food/tea", "food/jam", "tools/saw"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "1.jpg").write_bytes(b"")
    assert supercategories(folders.read(tmp_path)).tolist() == ["food", "food", "tools"]


def test_a_product_in_two_classes_has_no_supercategory() -> None:
    columns = {"path": list("abc"), "product": ["1", "1", "2"], "class_1": [0, 1, 1]}
    first = (ClassName("x", "x"), ClassName("y", "y"))
    assert supercategories(build(columns, classes=(first, (), ()), sources=(Source("s", "csv", Path("/")),))).tolist() == ["", ""]


def test_unions_keep_equal_names_apart(shared: Path) -> None:
    grocery = rpc.read(shared / "grocery")
    both = union([grocery, grocery])
    assert len(Counter(supercategories(both).tolist())) == 86
