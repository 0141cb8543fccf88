"""One class of the tree, by id, name or both; and the largest ones, as deep as there are any."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from repr.catalog.table import Catalog, ClassName, Source, build
from repr.classify.subtree import largest, subtree
from repr.errors import UserError


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """Food (1): tea (10) with green and black, bread (11) with none; Wear (2): tea (12), a shirt, with small and large, and boots (13)."""
    rows = [(0, 0, 0), (0, 0, 1), (0, 0, 0), (0, 1, -1), (1, 2, 2), (1, 2, 3), (1, 3, -1), (1, -1, -1)]
    columns: dict[str, list[object]] = {"path": [f"{n}.png" for n in range(8)], "product": [str(n) for n in range(8)]}
    for level in (1, 2, 3):
        columns[f"class_{level}"] = [row[level - 1] for row in rows]
    classes = (
        (ClassName("1", "Food"), ClassName("2", "Wear")),
        (ClassName("10", "tea", 0), ClassName("11", "bread", 0), ClassName("12", "tea", 1), ClassName("13", "boots", 1)),
        (ClassName("100", "green", 0), ClassName("101", "black", 0), ClassName("102", "small", 2), ClassName("103", "large", 2)),
    )
    return build(columns, classes=classes, sources=(Source("shop", "mep3m", tmp_path),), default_level=2)


@pytest.mark.parametrize(
    ("named", "products", "level"),
    [("Food", "0123", 2), ("1", "0123", 2), ("1:1", "0123", 2), ("Wear", "456", 2), ("10", "012", 3), ("2:12", "45", 3)],
)
def test_a_class_by_id_name_or_level_and_id(catalog: Catalog, named: str, products: str, level: int) -> None:
    part = subtree(catalog, named)
    assert "".join(part.column("product").astype(str)) == products and part.default_level == level


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("Foot", "no class is called 'Foot'. Did you mean Food?"),
        ("green", "no class is called 'green'"),
        ("tea", "2 classes are called 'tea'. Say which by level and id: 2:10 or 2:12."),
        ("bread", "bread has no class below it. Choose a class with more."),
    ],
)
def test_what_is_none_or_several(catalog: Catalog, named: str, message: str) -> None:
    with pytest.raises(UserError) as raised:
        subtree(catalog, named)
    assert message in str(raised.value) and raised.value.argument == "under"


def test_the_way_out_of_two_of_one_name_works(catalog: Catalog) -> None:
    """What the error names can be typed."""
    assert sorted(len(subtree(catalog, name)) for name in ("2:10", "2:12")) == [2, 3]


def test_a_class_of_which_no_row_is_there_is_none(catalog: Catalog) -> None:
    rows = np.flatnonzero(catalog.column("class_1") == 0)
    with pytest.raises(UserError, match="no class is called 'Wear'"):
        subtree(catalog.select(rows), "Wear")
    assert len(subtree(catalog.select(rows), "tea")) == 3, "of the two of that name one is left"


def test_the_largest_are_as_deep_as_there_are_any(catalog: Catalog) -> None:
    names = largest(catalog, 9)
    assert names == ("2:10", "2:12"), "both called tea, so by level and id; three rows before two"
    assert largest(catalog, 1) == ("2:10",) and [len(subtree(catalog, name)) for name in names] == [3, 2]
    shallow = catalog.select(catalog.column("class_3") < 0)
    assert largest(shallow, 9) == () or all(len(subtree(shallow, name)) for name in largest(shallow, 9))
    assert largest(catalog.select([3, 6, 7]), 9) == ()
