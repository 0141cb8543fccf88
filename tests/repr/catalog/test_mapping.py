"""The mapping file: proposed, edited, applied."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from repr.catalog import mapping
from repr.catalog.align import align
from repr.catalog.table import Catalog, ClassName, Source, build
from repr.catalog.union import union
from repr.errors import UserError


def shop(name: str, rows: list[tuple[str, str, str | None, str]]) -> Catalog:
    """A catalog of rows (class, sub-class, third level or None, title)."""
    tables: list[dict[tuple[str, ...], int]] = [{}, {}, {}]
    codes: list[list[int]] = [[], [], []]
    for row in rows:
        for level in range(3):
            key = tuple(str(part) for part in row[: level + 1])
            codes[level].append(-1 if row[level] is None else tables[level].setdefault(key, len(tables[level])))
    first, second, third = (
        tuple(ClassName(f"{level}{code}", key[-1], tables[level - 1][key[:-1]] if level else -1) for key, code in table.items())
        for level, table in enumerate(tables)
    )
    columns = {"path": [f"{i}.jpg" for i in range(len(rows))], "title": [row[3] for row in rows]}
    columns |= {f"class_{level + 1}": codes[level] for level in range(3)}  # type: ignore[dict-item]
    return build(columns, classes=(first, second, third), sources=(Source(name, "csv", Path("/shop")),))


def one() -> Catalog:
    rows = [("Kitchen", "pots", "large", "steel pot"), ("Kitchen", "pots", None, "iron pot"), ("Kitchen", "knives", None, "bread knife")]
    return shop("a", [*rows, ("Clothes", "shirts", None, "cotton shirt")])


def two() -> Catalog:
    rows = [("Garden", "hoses", None, "hose"), ("Kitchen", "pot", "huge", "steel pot"), ("Kitchen", "knife", None, "bread knife")]
    return shop("b", [*rows, ("Kitchen", "knife", None, "bread knife"), ("Wear", "shirts", None, "cotton shirt")])


def placed(catalog: Catalog) -> list[tuple[str | None, ...]]:
    """Each row's class names, coarse first."""
    columns = [catalog.column(f"class_{level + 1}") for level in range(3)]
    return [
        tuple(catalog.classes[level][codes[row]].name if codes[row] >= 0 else None for level, codes in enumerate(columns))
        for row in range(len(catalog))
    ]


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_proposed_edited_applied(tmp_path: Path, ending: str) -> None:
    found = align([one(), two()], content_threshold=0.5)
    file = mapping.write(tmp_path / f"mapping.{ending}", found)
    if ending == "csv":
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    else:
        rows = json.loads(file.read_text(encoding="utf-8"))["mapping"]
    assert [(row["id"], row["merged_name"]) for row in rows] == [("a:11", "knife"), ("b:12", "knife"), ("a:10", "pots"), ("b:11", "pots")]
    file.write_text(
        file.read_text(encoding="utf-8")
        .replace("pots,Kitchen,2,", "cookware,Kitchen,2,")
        .replace("pots,Kitchen,1,", "cookware,Kitchen,1,")
        .replace('"merged_name": "pots"', '"merged_name": "cookware"'),
        encoding="utf-8",
    )
    merged = mapping.apply(union([one(), two()]), mapping.read(file))
    assert placed(merged) == [
        ("Kitchen", "cookware", "large"),
        ("Kitchen", "cookware", None),
        ("Kitchen", "knife", None),
        ("Clothes", "shirts", None),
        ("Garden", "hoses", None),
        ("Kitchen", "cookware", "huge"),
        ("Kitchen", "knife", None),
        ("Kitchen", "knife", None),
        ("Wear", "shirts", None),
    ]
    assert [entry.name for entry in merged.classes[0]] == ["Kitchen", "Clothes", "Garden", "Wear"]
    assert [(entry.id, entry.name) for entry in merged.classes[1]] == [
        ("a:10", "cookware"),
        ("a:12", "shirts"),
        ("b:10", "hoses"),
        ("b:12", "knife"),
        ("b:13", "shirts"),
    ]
    assert {merged.classes[1][entry.parent].name for entry in merged.classes[2]} == {"cookware"}
    assert merged.notes[-1] == "aligned by a mapping of 4 classes of level 2, now 2 fewer"
    merged.write(tmp_path / "merged.parquet")
    assert placed(Catalog.read(tmp_path / "merged.parquet")) == placed(merged)
    assert len(merged.labels(2)[1]) == 5


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_written_by_hand(tmp_path: Path) -> None:
    """Three columns are enough; a class that has the name already joins; merged_class moves; a single class is renamed."""
    file = write(tmp_path / "m.csv", "level,id,merged_name,merged_class\n2,12,shirts,\n2,11,blades,Clothes\n2,10,,\n")
    catalog = shop(
        "a",
        [("Kitchen", "pots", None, ""), ("Kitchen", "knives", None, ""), ("Clothes", "shirt", None, ""), ("Clothes", "shirts", None, "")],
    )
    merged = mapping.apply(catalog, mapping.read(file))
    assert placed(merged) == [
        ("Kitchen", "pots", None),
        ("Clothes", "blades", None),
        ("Clothes", "shirts", None),
        ("Clothes", "shirts", None),
    ]
    assert len(merged.classes[1]) == 3 and merged.classes[1][2].id == "12"


def test_other_levels(tmp_path: Path) -> None:
    both = union([one(), two()])
    first = mapping.apply(both, mapping.read(write(tmp_path / "1.csv", "level,id,merged_name\n1,a:01,Wear\n")))
    assert [entry.name for entry in first.classes[0]] == ["Kitchen", "Wear", "Garden", "Kitchen"]
    assert placed(first)[3] == placed(first)[-1] == ("Wear", "shirts", None)
    assert [entry.parent for entry in first.classes[1]] == [0, 0, 1, 2, 3, 3, 1]
    third = mapping.apply(
        both, mapping.read(write(tmp_path / "3.csv", "level,id,merged_name,merged_class\n3,a:20,big,pots\n3,b:20,big,pots\n"))
    )
    assert placed(third)[0] == placed(third)[5] == ("Kitchen", "pots", "big")
    assert len(third.classes[2]) == 1


@pytest.mark.parametrize(
    "text, message",
    [
        ("level,id\n2,10\n", "no column merged_name"),
        ("level,id,merged_name\n2,10,\n", "no class has a merged name"),
        ("level,id,merged_name\n4,10,x\n", "row 2: level '4'"),
        ("level,id,merged_name\n2,10,x\n1,00,x\n", "classes of several levels"),
        ("level,id,merged_name\n2,10,x\n2,10,y\n", "row 3: class 10 is there twice"),
        ("level,id,merged_name\n2\n", "row 2: 1 cells, where the first row names 3"),
        ("level,id,merged_name\n2,99,x\n", "row 2: no class 99 on level 2 of a"),
        ("level,id,name,merged_name\n2,10,pans,x\n", "class 10 is called 'pots' here, not 'pans'"),
        ("level,id,merged_name,merged_class\n2,10,x,Cellar\n", "no class 'Cellar' on level 1"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        mapping.apply(one(), mapping.read(write(tmp_path / "m.csv", text)))


def test_bad_names_and_json(tmp_path: Path) -> None:
    found = align([one(), two()])
    with pytest.raises(UserError, match=r"Name it .csv or .json"):
        mapping.write(tmp_path / "mapping.xlsx", found)
    with pytest.raises(UserError, match="no such file"):
        mapping.read(tmp_path / "absent.csv")
    with pytest.raises(UserError, match="no mapping in it"):
        mapping.read(write(tmp_path / "m.json", "[1]"))
    with pytest.raises(UserError, match="newer version"):
        mapping.read(write(tmp_path / "m.json", '{"version": 9, "mapping": []}'))
    (tmp_path / "gbk.csv").write_bytes("level,id,merged_name\n2,10,锅".encode("gbk"))
    with pytest.raises(UserError, match="not UTF-8"):
        mapping.read(tmp_path / "gbk.csv")
