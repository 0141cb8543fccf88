"""What is missing from data for a table of the paper is told before anything is trained: a level, titles, a subset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from repr.catalog.table import Catalog, ClassName, Source, build
from repr.classify.grid import Request
from repr.classify.opening import Opened, limited
from repr.classify.request import ask
from repr.errors import UserError


def flat(root: Path, titles: bool = False) -> Catalog:
    """Twelve rows of three classes of one level, all but a third for training; no image is there."""
    paths = [f"{n}.png" for n in range(12)]
    columns = {"path": paths, "product": paths, "class_1": [n % 3 for n in range(12)], "split": ["train", "train", "test"] * 4}
    columns["title"] = [f"title {n}" if titles else None for n in range(12)]
    names = tuple(ClassName(str(n), f"kind {n}") for n in range(3))
    return build(columns, classes=(names, (), ()), sources=(Source("shop", "csv", root),), default_level=1)


def test_a_table_of_subsets_needs_one_or_a_class_with_others_below(shop: Catalog, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="none of the subsets outdoors, meats, accessories, jewelries is in it, and no class"):
        Opened(flat(tmp_path)).own_parts()
    assert set(Opened(shop).own_parts()) == {"Food", "Wear"}


@pytest.mark.parametrize(
    ("number", "asked", "words"),
    [
        ("8", {}, "none of the subsets outdoors, meats, accessories, jewelries is in it"),
        ("4", {"models": ("lstm", "tfn")}, "no labels on level 2. Choose another `level`"),
        ("5", {"models": ("bert",), "levels": (3,)}, "no labels on level 3"),
        ("4", {"models": ("bilstm",), "levels": (1,)}, "no training title has a word. Choose a model that sees images"),
        ("4", {"subset": "meats"}, "none of the 18 classes of the subset meats is in it"),
        ("6", {"subset": "nowhere"}, "no subset is called 'nowhere'"),
    ],
)
def test_what_the_data_lack_is_told_and_nothing_is_written(tmp_path: Path, number: str, asked: dict[str, object], words: str) -> None:
    flat(tmp_path).write(tmp_path / "shop.parquet")
    with pytest.raises(UserError) as refused:
        ask(number, Request(data=(str(tmp_path / "shop.parquet"),), **asked), tmp_path / "run")  # type: ignore[arg-type]
    assert words in str(refused.value)
    assert not list((tmp_path / "run").glob("*.html")) and not (tmp_path / "run" / "models").exists()


def test_training_rows_are_limited_and_tests_stay(tmp_path: Path) -> None:
    catalog = flat(tmp_path)
    some = limited(catalog, 3, seed=0)
    split = some.column("split").astype(str)
    assert (split == "train").sum() == 3 and (split == "test").sum() == 4
    assert some.table.equals(limited(catalog, 3, seed=0).table) and not np.array_equal(
        some.column("path"), limited(catalog, 3, seed=1).column("path")
    )
    assert limited(catalog, 0, seed=0) is catalog and limited(catalog, 8, seed=0) is catalog
