"""How sources are divided, in words and as data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from repr.catalog.division import OWN, Division
from repr.catalog.sources import bare, divisions, fill_split
from repr.catalog.table import Catalog, Source, build


def two(first: list[str], second: list[str]) -> Catalog:
    """A union of two sources with these splits, of hostile names."""
    split = [*first, *second]
    columns: dict[str, list[object]] = {
        "path": [f"{n}.png" for n in range(len(split))],
        "product": list("tc" * len(split))[: len(split)],
        "split": list(split),
        "source": [0] * len(first) + [1] * len(second),
        "title": [f"title {n}" for n in range(len(split))],
    }
    sources = (Source("C+C", "folders", Path("a")), Source("a → b", "folders", Path("b")))
    return build(columns, classes=((), (), ()), sources=sources)


def test_each_source_has_its_own_division() -> None:
    catalog = two(["train", "test"], [""] * 10)
    assert bare(catalog).tolist() == [False, True]
    assert divisions(catalog, "random", 3) == (Division(OWN), Division("random", 3))
    assert divisions(catalog, "grouped", 0, "tea") == (Division(OWN, None, "tea"), Division("grouped", 0, "tea"))


def test_a_source_with_some_splits_keeps_them() -> None:
    catalog = two(["train", ""], [""] * 10)
    filled = fill_split(catalog, "random", 0)
    assert filled.column("split")[:2].tolist() == ["train", ""] and divisions(catalog, "random", 0)[0].split == OWN
    assert set(np.unique(filled.column("split")[2:].astype(str))) == {"train", "test"}


@pytest.mark.parametrize(
    ("division", "words"),
    [
        (Division(), ""),
        (Division(OWN), "its own split"),
        (Division("grouped", 0), "grouped split by seed 0"),
        (Division("none", None, "tea"), "the part 'tea'; every image, none held out"),
        (Division("random", 7, "C+C"), "the part 'C+C'; random split by seed 7"),
        (Division(subset="nan"), "the part 'nan'"),
    ],
)
def test_in_words(division: Division, words: str) -> None:
    assert str(division) == words
