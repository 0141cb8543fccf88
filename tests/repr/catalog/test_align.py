"""Alignment of classes: names against difflib, titles against plain cosines, thresholds as the paper took them."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repr.catalog.align import CHARACTERS, align, s_content, s_label
from repr.catalog.table import Catalog, ClassName, Source, build
from repr.catalog.words import terms
from repr.errors import UserError


def platform(name: str, classes: dict[str, dict[str, list[str]]], *, synthetic: bool = False) -> Catalog:
    """A catalog from {class: {sub-class: titles}}."""
    first, second, columns = [], [], {"path": [], "class_1": [], "class_2": [], "title": []}  # type: ignore[var-annotated]
    for parent, below in classes.items():
        for sub, titles in below.items():
            for title in titles:
                columns["path"].append(f"{len(columns['path'])}.jpg")
                columns["class_1"].append(len(first))
                columns["class_2"].append(len(second))
                columns["title"].append(title)
            second.append(ClassName(str(100 + len(second)), sub, len(first)))
        first.append(ClassName(str(1 + len(first)), parent))
    return build(columns, classes=(tuple(first), tuple(second), ()), sources=(Source(name, "csv", Path("/shop"), synthetic),))


def cosine(a: str, b: str, binary: bool) -> float:
    """The slow plain version."""
    one, two = Counter(terms(a[:CHARACTERS], CHARACTERS)), Counter(terms(b[:CHARACTERS], CHARACTERS))
    if binary:
        one, two = Counter(set(one)), Counter(set(two))
    norm = math.sqrt(sum(n * n for n in one.values()) * sum(n * n for n in two.values()))
    return sum(n * two[term] for term, n in one.items()) / norm


# Liu et al., Pattern Recognition 140 (2023) 109519, Table 3: two names, S_label, and the name of both together.
TABLE_3 = [
    ("儿童餐具", "儿童餐具", 1.00, "儿童餐具"),
    ("孕妈奶粉", "孕妈奶粉", 1.00, "孕妈奶粉"),
    ("空调", "空调", 1.00, "空调"),
    ("骑行装备", "骑行装备", 1.00, "骑行装备"),
    ("洗澡用具", "洗澡用具", 1.00, "洗澡用具"),
    ("婴幼奶粉", "婴幼儿奶粉", 0.89, "婴幼儿奶粉"),
    ("婴儿湿巾", "湿巾", 0.67, "湿巾"),
    ("咖啡/奶茶", "咖啡", 0.57, "咖啡/奶茶"),
    ("饮料", "饮料饮品", 0.67, "饮料饮品"),
    ("办公文具", "办公文仪", 0.75, "办公文仪"),
]


@pytest.mark.parametrize("a, b, value, together", TABLE_3)
def test_table_3(a: str, b: str, value: float, together: str) -> None:
    """To the two places that are printed; and with titles that agree each pair is proposed, under the name of the more frequent class."""
    assert round(s_label(a, b), 2) == round(s_label(b, a), 2) == value
    titles = [f"same goods of brand {n}" for n in range(4)]
    more = {together: titles * 2}
    found = align([platform("one", {"all": {a: titles}} if a != together else {"all": more}),
                   platform("two", {"all": {b: titles}} if b != together or a == b else {"all": more})])  # fmt: skip
    (pair,) = found.pairs
    assert pair.proposed == together and round(pair.s_label, 2) == value


# Pairs of the real class table that the paper's rule left apart.
@pytest.mark.parametrize(
    "a, b, value", [("家电配件", "大家电配件", 0.89), ("方便速食", "进口方便速食", 0.80), ("休闲零食", "休闲食品", 0.75)]
)
def test_s_label_as_published(a: str, b: str, value: float) -> None:
    assert round(s_label(a, b), 2) == round(s_label(b, a), 2) == value


@given(st.text("abcd", max_size=9), st.text("abcd", max_size=9))
def test_s_label_knows_no_order(a: str, b: str) -> None:
    """difflib alone does: its ratio of "dabc", "bcda" and the like depends on which comes first."""
    assert s_label(a, b) == s_label(b, a)
    assert 0 <= s_label(a, b) <= 1 and (s_label(a, b) == 1) == (a == b)


def test_s_label_over_the_real_class_table(shared: Path) -> None:
    """386 pairs of sub-classes of one class have S_label of 0.5 or more, among all 599."""
    with (shared / "mep3m" / "dataset_info.csv").open(encoding="utf-8") as stream:
        rows = {row["sub_class_id"]: row for row in csv.DictReader(stream)}.values()
    names = [(row["class_name"], row["sub_class_name"]) for row in rows]
    assert len(names) == 599
    assert sum(p == q and s_label(a, b) >= 0.5 for (p, a), (q, b) in combinations(names, 2)) == 386


@pytest.mark.parametrize("binary", [False, True])
def test_s_content_by_hand(binary: bool) -> None:
    texts = ["red cotton shirt red", "red wool shirt", "无糖奶粉 奶粉", "成人奶粉", "😀", "steel pot"]
    found = s_content(texts, binary=binary)
    for i, j in combinations([0, 1, 2, 3, 5], 2):
        assert found[i, j] == pytest.approx(cosine(texts[i], texts[j], binary)) == found[j, i]
    assert np.isnan(found[4]).all() and np.isnan(found[:, 4]).all()
    assert found[0, 0] == pytest.approx(1) and found[0, 5] == 0
    assert found[0, 1] == pytest.approx(2 / 3 if binary else 3 / math.sqrt(18))


def test_only_the_first_characters_count() -> None:
    head = "pot " * (CHARACTERS // 4)
    found = s_content([head + "shirt " * 9000, head])
    assert found[0, 1] == pytest.approx(1)


A = {
    "Kitchen": {
        "pots": ["steel pot", "iron pot", "steel pot lid", "small pot"],
        "knives": ["chef knife", "bread knife", "steel knife"],
        "garden hoses": ["green hose", "hose 20 m"],
    },
    "Clothes": {"shirts": ["cotton shirt", "wool shirt"]},
}
B = {
    "Kitchen": {
        "pots": ["steel pot", "iron pot", "steel pan"],
        "knife": ["chef knife", "bread knife", "steel knife", "small knife"],
        "garden houses": ["wood shed", "tool shed"],
        "knives": ["folding knife blade"],
    },
    "Wear": {"shirts": ["cotton shirt", "wool shirt"]},
}


def test_two_platforms() -> None:
    found = align([platform("a", A), platform("b", B)])
    pairs = {(pair.a.id, pair.b.id): pair for pair in found.pairs}
    assert len(pairs) == 3 * 4  # within Kitchen only
    by_name = {(pair.a.name, pair.b.name): pair for pair in found.pairs}
    assert by_name["garden hoses", "garden houses"].s_label > 0.9
    assert by_name["garden hoses", "garden houses"].proposed is None, "the names are alike, the goods are not"
    assert by_name["knives", "knife"].proposed == "knife", "named as the larger of them"
    assert by_name["knives", "knives"].proposed == "knife", "identical names are one whatever their titles, and so is what they hang on"
    assert by_name["pots", "pots"].proposed == "pots"
    assert [sorted(label.name for label in group) for group in found.groups()] == [["pots", "pots"], ["knife", "knives", "knives"]]
    joined = {
        name: " ".join(titles)
        for side in (A, B)
        for name, titles in ((("a", s) if side is A else ("b", s), t) for c in side.values() for s, t in c.items())
    }
    plain = cosine(joined["a", "knives"], joined["b", "knife"], False)
    assert by_name["knives", "knife"].s_content == pytest.approx(plain)
    assert all(pair.proposed is None for pair in found.pairs[-8:]), "proposed pairs come first"
    assert set(found.pairs[0].as_json()) >= {"a", "b", "s_label", "s_content", "proposed"}


def test_the_order_of_the_sources_changes_nothing() -> None:
    one = {
        frozenset([(p.a.name, p.a.products), (p.b.name, p.b.products)]): (p.s_label, p.s_content, p.proposed)
        for p in align([platform("a", A), platform("b", B)]).pairs
    }
    two = {
        frozenset([(p.a.name, p.a.products), (p.b.name, p.b.products)]): (p.s_label, p.s_content, p.proposed)
        for p in align([platform("b", B), platform("a", A)]).pairs
    }
    assert one.keys() == two.keys()
    for key, value in one.items():
        assert value[0] == two[key][0] and value[1] == pytest.approx(two[key][1]) and value[2] == two[key][2]


def test_across_classes() -> None:
    found = align([platform("a", A), platform("b", B)], across=True)
    assert len(found.pairs) == 4 * 5
    shirts = next(pair for pair in found.pairs if pair.a.name == pair.b.name == "shirts")
    assert shirts.proposed == "shirts" and shirts.s_content == pytest.approx(1)


def test_the_content_threshold_is_derived_from_identical_names() -> None:
    """As the paper took 0.75: the mean over the classes that both platforms call the same, here three with known overlap."""
    rng = np.random.default_rng(0)
    words = np.array([f"w{i}" for i in range(60)])

    def titles(start: int) -> list[str]:
        return [" ".join(rng.choice(words[start : start + 20], 6)) for _ in range(200)]

    one = {"Shop": {"lamps": titles(0), "chairs": titles(10), "tables": titles(20), "sofa": titles(40)}}
    two = {"Shop": {"lamps": titles(5), "chairs": titles(10), "tables": titles(30), "sofas": titles(40)}}
    found = align([platform("a", one), platform("b", two)], content_threshold=None)
    plain = [cosine(" ".join(one["Shop"][name]), " ".join(two["Shop"][name]), False) for name in ("lamps", "chairs", "tables")]
    assert found.derived == found.s_content == pytest.approx(np.mean(plain))
    assert 0.7 < found.s_content < 0.8  # overlaps of 15, 20 and 10 words of 20
    assert {(p.a.name, p.proposed) for p in found.pairs if p.proposed} == {(n, n) for n in ("lamps", "chairs", "tables")} | {
        ("sofa", "sofa")
    }
    with pytest.raises(UserError, match="no content threshold can be derived"):
        align([platform("a", {"Shop": {"lamps": ["x"]}}), platform("b", {"Shop": {"lamp": ["x"]}})], content_threshold=None)


def test_two_real_platforms(shared: Path) -> None:
    """The public records come in two image sizes, which are two shops: a class of one name, its titles about as alike as the paper's."""
    records = json.loads((shared / "mep3m" / "annotations-1k.json").read_text(encoding="utf-8"))
    shops = {size: [r["title"] for r in records if r["img_resolution"][0] == size] for size in (220, 75)}
    name = records[0]["sub_class_name"]
    both = [platform(str(size), {records[0]["class_name"]: {name: titles}}) for size, titles in shops.items()]
    pair = align(both).pairs[0]
    assert pair.s_label == 1 and pair.proposed == name
    assert pair.s_content is not None and 0.7 < pair.s_content < 0.95


def test_within_one_catalog() -> None:
    found = align(
        [
            platform(
                "a", {"Wear": {"shirts": ["red shirt", "blue shirt"], "shirt": ["red shirt"], "belts": ["red shirt"]}, "K": {"pot": [""]}}
            )
        ]
    )
    assert next((p.a.name, p.b.name, p.proposed) for p in found.pairs) == ("shirts", "shirt", "shirts")
    assert len(found.pairs) == 3 and [p.proposed for p in found.pairs[1:]] == [None, None]
    assert found.derived is None


def test_classes_without_titles() -> None:
    found = align([platform("a", {"K": {"pots": ["", "😀"]}}), platform("b", {"K": {"pots": ["steel pot"], "pot": ["steel pot"]}})])
    assert [(pair.a.name, pair.b.name, pair.s_content, pair.proposed) for pair in found.pairs] == [
        ("pots", "pots", None, "pots"),
        ("pots", "pot", None, None),
    ]


def test_nothing_to_compare() -> None:
    with pytest.raises(UserError, match="level 2: 1, nothing to compare"):
        align([platform("a", {"K": {"pots": ["x"]}})])
    with pytest.raises(UserError, match="level 3: 0, nothing to compare"):
        align([platform("a", A)], level=3)
    with pytest.raises(UserError, match="across"):
        align([platform("a", {"K": {"pots": ["x"]}}), platform("b", {"L": {"pots": ["x"]}})])
