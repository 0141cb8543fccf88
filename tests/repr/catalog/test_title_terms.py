"""The terms of titles, against plain counting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from repr.catalog import mep3m, title_terms
from repr.catalog.table import Catalog, Source, build


def shop(*titles: str | None) -> Catalog:
    paths = [str(n) for n in range(len(titles))]
    return build({"path": paths, "product": paths, "title": list(titles)}, classes=((), (), ()), sources=(Source("s", "csv", Path("s")),))


def test_titles_that_have_a_term_are_counted_once_each() -> None:
    found = title_terms.title_terms(shop("Green tea, green TEA 500 g", "green 2 x", None, "b"), most=2)
    assert found.terms == (("green", 2), ("tea", 1)) and (found.titles, found.of) == (3, 3)
    assert title_terms.title_terms(shop(None)).terms == ()


def test_of_many_an_even_part_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(title_terms, "LOOKED_AT", 3)
    found = title_terms.title_terms(shop(*(f"word{n}" for n in range(9))))
    assert [term for term, _ in found.terms] == ["word0", "word4", "word8"] and (found.titles, found.of) == (3, 9)


def test_chinese_titles_are_cut(shared: Path) -> None:
    pytest.importorskip("jieba")
    found = title_terms.title_terms(mep3m.read(shared / "mep3m"))
    titles = [record["title"] for record in json.loads((shared / "mep3m" / "annotations-1k.json").read_bytes())]
    counts = dict(found.terms)
    assert counts["奶粉"] > 900 and all(n <= sum(term in title.casefold() for title in titles) for term, n in found.terms if term.isascii())
    assert list(counts.values()) == sorted(counts.values(), reverse=True) and len(counts) == 120
