"""Unions: codes, ids, names and levels of several sources in one table."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from repr.catalog import folders, rpc
from repr.catalog.table import Catalog, ClassName, Source, build
from repr.catalog.union import union, with_split


def one_level(name: str, *labels: str) -> Catalog:
    names = sorted(set(labels))
    first = tuple(ClassName(label, label) for label in names)
    columns = {
        "path": [f"{n}.jpg" for n in range(len(labels))],
        "product": list(labels),
        "class_1": [names.index(label) for label in labels],
    }
    return build(columns, classes=(first, (), ()), sources=(Source(name, "folders", Path("/", name)),), default_level=1)


def test_one_catalog_stays_as_it_is() -> None:
    only = one_level("a", "tea")
    assert union([only]) is only


def test_same_names_are_told_apart() -> None:
    both = union([one_level("shop", "tea", "jam"), one_level("shop", "tea")])
    assert [source.name for source in both.sources] == ["shop", "shop-2"]
    assert both.product_keys().tolist() == ["shop:tea", "shop:jam", "shop-2:tea"]
    assert both.labels()[1] == ("jam", "tea (shop:tea)", "tea (shop-2:tea)")
    assert [str(file) for file in both.files()] == ["/shop/0.jpg", "/shop/1.jpg", "/shop/0.jpg"]
    assert both.name == "shop+shop-2"


def test_a_union_of_a_union_keeps_its_prefixes() -> None:
    three = union([union([one_level("a", "x"), one_level("b", "x")]), one_level("c", "x")])
    assert [entry.id for entry in three.classes[0]] == ["a:x", "b:x", "c:x"]
    assert three.product_keys().tolist() == ["a:x", "b:x", "c:x"]


def test_levels_are_brought_to_the_deepest(shared: Path) -> None:
    grocery, freiburg = rpc.read(shared / "grocery"), folders.read(shared / "freiburg")
    both = union([freiburg, grocery])
    assert both.default_level == 2
    labels, names = both.labels()
    assert len(names) == 25 + 81 and (labels >= 0).all()
    assert len(both.labels(1)[1]) == 25 + 43
    for row in (0, 3000, 4947, 10_000):
        code = both.column("class_2")[row]
        entry = both.classes[1][code]
        assert both.classes[0][entry.parent].id == both.classes[0][both.column("class_1")[row]].id
    assert both.column("split").tolist() == freiburg.column("split").tolist() + grocery.column("split").tolist()


def test_with_split() -> None:
    assert with_split(one_level("a", "x", "y"), np.array(["train", "test"])).column("split").tolist() == ["train", "test"]


def test_equal_names_that_stay_apart_are_said() -> None:
    (note,) = union([one_level("a", "tea", "soap"), one_level("b", "tea", "rice")]).notes
    assert note.startswith("1 class names stand in several sources") and "repr catalog align" in note
    assert not union([one_level("a", "tea"), one_level("b", "rice")]).notes
