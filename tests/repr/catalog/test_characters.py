"""Character frequencies, against a plain count."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from repr.catalog import characters as module
from repr.catalog.characters import characters
from repr.catalog.sources import open_sources
from repr.catalog.table import Source, build


def test_as_counted_by_hand() -> None:
    columns = {"path": ["1", "2", "3"], "title": ["奶粉 a!", None, "奶 😀"], "ocr": ["奶 1", "", None]}
    found = characters(build(columns, classes=((), (), ()), sources=(Source("s", "csv", Path()),)))
    counts = {c: (int(t), int(o)) for c, t, o in zip(found.characters, found.titles, found.ocr, strict=True)}
    assert counts == {"奶": (2, 1), "1": (0, 1), "粉": (1, 0), "a": (1, 0)}
    assert found.characters[0] == "奶", "the most frequent first"
    titles, ocr = found.rates()
    assert titles.sum() == ocr.sum() == 1 and titles[0] == 0.5


def test_the_real_records(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 300)  # so that blocks have seams
    catalog = open_sources([shared / "mep3m" / "annotations-1k.json"])
    found = characters(catalog)
    for column, counts in (("title", found.titles), ("ocr", found.ocr)):
        plain = Counter(c for text in catalog.table[column].to_pylist() for c in text or "" if c.isalnum())
        assert {c: int(n) for c, n in zip(found.characters, counts, strict=True) if n} == plain


def test_nothing_there() -> None:
    found = characters(build({"path": ["1"]}, classes=((), (), ()), sources=(Source("s", "csv", Path()),)))
    assert found.characters == () and [rate.tolist() for rate in found.rates()] == [[], []]
