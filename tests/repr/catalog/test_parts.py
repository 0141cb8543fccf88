"""Subsets: the shipped lists against the facts, matching by id and name, and what is said of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from repr.catalog import mep3m, parts
from repr.catalog.table import Catalog, ClassName, Source, build
from repr.catalog.union import union
from repr.errors import UserError


def mep(*ids: tuple[str, str]) -> Catalog:
    second = tuple(ClassName(id_, name, 0) for id_, name in ids)
    paths = [f"Images/{id_}/1.jpg" for id_, _ in ids]
    columns = {"path": paths, "product": paths, "class_1": [0] * len(ids), "class_2": list(range(len(ids)))}
    return build(columns, classes=((ClassName("5", "food"),), second, ()), sources=(Source("mep", "mep3m", Path("/mep")),))


@pytest.mark.parametrize("name", parts.names())
def test_lists_agree_with_the_class_table(shared: Path, name: str) -> None:
    part = parts.load(name)
    table = mep3m.read_info(shared / "mep3m" / "dataset_info.xlsx")
    named = {entry.id: entry for entry in table.levels[part.level - 1]}
    assert {id_: named[id_].name for id_ in part.ids} == part.ids
    assert len(part.ids) == parts.PAPER[name][0]
    if part.level == 3:
        assert {table.levels[1][named[id_].parent].id for id_ in part.ids} == set(part.archives)


def test_what_is_proposed_says_so() -> None:
    assert {part.name for part in parts.listing() if part.proposed} == {"mep-for-rpc", "meats"}


def test_rows_of_the_listed_classes_by_id_and_name() -> None:
    part = parts.subset(mep(("304", "糖果/巧克力"), ("1", "孕妈奶粉"), ("534", "wine")), "mep-for-rpc")
    assert part.column("path").tolist() == ["Images/304/1.jpg"]
    said = " ".join(part.notes)
    assert "proposed" in said and "1 of its 26 classes" in said and "26 and 118,170 in the paper" in said


def test_no_word_when_all_agrees() -> None:
    part = parts.Subset("accessories", 3, dict.fromkeys("abcdefg", ""), (), False)
    assert parts.differences(part, 7, 34_168) == []
    assert "34,168" in parts.differences(part, 7, 34_000)[0]


def test_a_list_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("note,sub_class_id\nx,534\ny,1\n", encoding="utf-8-sig")
    part = parts.subset(mep(("304", "a"), ("1", "b"), ("534", "c")), str(tmp_path / "mine.csv"))
    assert part.column("path").tolist() == ["Images/1/1.jpg", "Images/534/1.jpg"]
    assert part.notes == ()


def test_in_a_union_other_sources_stay_whole(tmp_path: Path) -> None:
    first = (ClassName("304", "糖果/巧克力"),)
    other = build(
        {"path": ["x"], "product": ["x"], "class_1": [0]},
        classes=(first, (), ()),
        sources=(Source("o", "folders", tmp_path),),
        default_level=1,
    )
    both = parts.subset(union([mep(("304", "糖果/巧克力"), ("1", "孕妈奶粉")), other]), "mep-for-rpc")
    assert both.column("path").tolist() == ["Images/304/1.jpg", "x"]
    assert len(both.labels()[1]) == 2


LONG = ("sub_class_id\n" + "1" * 200_000 + "\n", "not a readable CSV")  # a cell above Python's limit


def test_refusals(tmp_path: Path, shared: Path) -> None:
    with pytest.raises(UserError, match="mep-for-rpc"):
        parts.load("mep-for-rcp")
    with pytest.raises(UserError, match="none of the 26 classes"):
        parts.subset(mep(("304", "other")), "mep-for-rpc")
    with pytest.raises(UserError, match="none of the 26 classes"):
        parts.subset(mep3m.read(shared / "fashion"), "mep-for-rpc")
    for text, words in (("id\n1\n", "no column"), ("sub_class_id\n", "no rows"), ("sub_class_id,x\n1,\n ,y\n", "no sub_class_id"), LONG):
        (tmp_path / "bad.csv").write_text(text)
        with pytest.raises(UserError, match=words):
            parts.load(str(tmp_path / "bad.csv"))
