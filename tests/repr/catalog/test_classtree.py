"""The tree of classes, against plain counting on real records."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from repr.catalog import mep3m, rpc
from repr.catalog.classtree import Node, class_tree
from repr.catalog.table import ClassName, Source, build


def test_rows_without_a_deeper_class_count_for_the_one_they_have(tmp_path: Path) -> None:
    columns = {"path": list("abcde"), "product": list("abcde"), "class_1": [0, 0, 0, 1, -1], "class_2": [0, 0, -1, -1, -1]}
    columns["class_3"] = [0, -1, -1, -1, -1]
    classes = (ClassName("1", "food"), ClassName("2", "tools")), (ClassName("8", "tea", 0),), (ClassName("9", "green", 0),)
    catalog = build(columns, classes=classes, sources=(Source("s", "mep3m", tmp_path),))
    tea = Node("8", "tea", 2, (Node("9", "green", 1),))
    assert class_tree(catalog) == (Node("1", "food", 3, (tea,)), Node("2", "tools", 1))


def test_without_classes_there_is_no_tree(tmp_path: Path) -> None:
    assert class_tree(build({"path": ["a"], "product": ["a"]}, classes=((), (), ()), sources=(Source("s", "csv", tmp_path),))) == ()


def test_of_fashion(shared: Path) -> None:
    records = json.loads((shared / "fashion" / "annotation.json").read_bytes())
    nodes = class_tree(mep3m.read(shared / "fashion"))
    assert {node.id: node.samples for node in nodes} == dict(Counter(record["class_id"] for record in records))
    assert {below.id: below.samples for node in nodes for below in node.below} == dict(Counter(r["sub_class_id"] for r in records))
    deep = Counter(r["subsub_class_id"] for r in records if r["subsub_class_id"] != "FALSE")
    assert {leaf.id: leaf.samples for node in nodes for below in node.below for leaf in below.below} == dict(deep)


def test_of_a_source_whose_first_level_is_not_the_first(shared: Path) -> None:
    nodes = class_tree(rpc.read(shared / "grocery"))
    assert sum(node.samples for node in nodes) == 5421
