"""Other names for classes, from a user's table."""

from __future__ import annotations

from pathlib import Path

import pytest

from repr.catalog import mep3m, parts
from repr.catalog.table import Catalog, ClassName, Source, build
from repr.catalog.translated import read, translated
from repr.catalog.union import union
from repr.errors import UserError


@pytest.fixture
def shop(tmp_path: Path) -> Catalog:
    """Two classes of a name on two levels, whose ids overlap, and one that no row has."""
    columns = {"path": ["a", "b", "c"], "product": ["a", "b", "c"], "class_1": [0, 0, 1], "class_2": [0, 1, -1]}
    first = (ClassName("1", "食品"), ClassName("2", "家电"))
    second = (ClassName("1", "茶", 0), ClassName("2", "酒", 0), ClassName("3", "米", 0))
    return build(columns, classes=(first, second, ()), sources=(Source("shop", "mep3m", tmp_path),))


def table(folder: Path, *lines: str) -> Path:
    file = folder / "en.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def test_the_deepest_id_that_is_filled_in_is_named(shop: Catalog, tmp_path: Path) -> None:
    file = table(tmp_path, "class_id,sub_class_id,name", "1,,Food", "1,1,Tea", "1,2,Wine", "2,FALSE,Appliances", "9,,Nowhere")
    named = translated(shop, file)
    assert [one.name for one in named.classes[0]] == ["Food", "Appliances"]
    assert [one.name for one in named.classes[1]] == ["Tea", "Wine", "米"]
    assert [one.id for one in named.classes[1]] == ["1", "2", "3"] and named.labels(2)[1] == ("Tea", "Wine")
    assert named.notes[-1] == "en.csv: names taken of 4 classes; names there of no class among the data: 1"


def test_classes_without_a_name_keep_theirs_and_are_counted(shop: Catalog, tmp_path: Path) -> None:
    named = translated(shop, table(tmp_path, "sub_class_id,name_en", "2,Wine"))
    assert named.labels(2)[1] == ("茶", "Wine") and named.labels(1)[1] == ("食品", "家电")
    assert "classes without a name there, which keep their own: 3, such as 1 of level 1" in named.notes[-1]


def test_a_unions_prefix_does_not_matter(shop: Catalog, tmp_path: Path) -> None:
    other = build({"path": ["x"], "product": ["x"], "class_1": [0]}, classes=((ClassName("t", "tools"),), (), ()),
                  sources=(Source("other", "csv", tmp_path / "o"),))  # fmt: skip
    named = translated(union([shop, other]), table(tmp_path, "class_id,name", "1,Food"))
    assert "Food" in named.labels(1)[1]


@pytest.mark.parametrize(
    ("lines", "message", "where"),
    [
        (["sub_class_id,name", "1,Tea", "2,Wine", "1,Coffee"], "class 1 a second time, first in row 2", "row 4"),
        (["sub_class_id,name", "1,leisure, snacks"], "3 cells, where the first row names 2", "row 2"),
        (["sub_class_id,name,name", "1,Tea,Wine"], "the column 'name' stands twice", "en.csv"),
        (["sub_class_id,name", "1,"], "no name for class 1", "row 2"),
        (["sub_class_id,name", ",Tea"], "no id of a class", "row 2"),
        (["id,name", "1,Tea"], "no column of ids", "en.csv"),
        (["sub_class_id,label", "1,Tea"], "no column of ids, none of names", "en.csv"),
        (["sub_class_id,name"], "or no rows", "en.csv"),
        (["sub_class_id,name", "777,Tea"], "names none of the classes of these data", "en.csv"),
    ],
)
def test_a_table_that_will_not_do(shop: Catalog, tmp_path: Path, lines: list[str], message: str, where: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        translated(shop, table(tmp_path, *lines))
    assert where in str(refused.value.where) and refused.value.remedy


def test_no_file_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        read(tmp_path / "nowhere.csv")
    (tmp_path / "latin.csv").write_bytes("sub_class_id,name\n1,Thé\n".encode("latin-1"))
    with pytest.raises(UserError, match="not UTF-8"):
        read(tmp_path / "latin.csv")


def test_the_real_class_table_in_english(shared: Path, tmp_path: Path) -> None:
    catalog = mep3m.read(shared / "mep3m")
    named = translated(catalog, table(tmp_path, "class_id,sub_class_id,name_en", "7,,Mother and baby", "7,1,Maternity milk powder"))
    assert named.labels(2)[1] == ("Maternity milk powder",)
    assert parts.LEVELS == {"subsub_class_id": 3, "sub_class_id": 2, "class_id": 1}
