"""The figures of a catalog are well-formed, stand alone, and say when the data are drawn."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from repr.catalog.characters import characters
from repr.catalog.statistics import statistics
from repr.catalog.table import ClassName, Source, build
from repr.reports.catalog_figures import draw


@pytest.mark.parametrize("synthetic", [False, True])
def test_drawn(tmp_path: Path, synthetic: bool) -> None:
    paths = [f"{n}.jpg" for n in range(6)]
    columns = {
        "path": paths,
        "product": paths,
        "class_1": [0, 0, 0, 0, 1, 1],
        "title": ["茶 <b>", "a", "b", "c & d", None, "e"],
        "ocr": ["新鲜", None, "", "x", None, None],
        "width": [220, 75] * 3,
        "height": [220, 75] * 3,
    }
    first = (ClassName("1", "食品/酒水 <&>"), ClassName("2", "tools"))
    source = Source("shop", "mep3m", tmp_path, synthetic=synthetic)
    catalog = build(columns, classes=(first, (), ()), sources=(source,), default_level=1)
    written = draw(statistics(catalog), characters(catalog), tmp_path / "out")
    assert [file.name for file in written] == [
        "long_tail.svg",
        "classes.svg",
        "resolutions.svg",
        "title_lengths.svg",
        "ocr.svg",
        "characters.svg",
        "catalog.html",
    ]
    for file in written[:-1]:
        text = file.read_text(encoding="utf-8")
        ElementTree.fromstring(text)
        assert "var(" not in text and ("synthetic" in text) is synthetic
    assert "食品/酒水" in (tmp_path / "out" / "classes.svg").read_text(encoding="utf-8")
    assert ("(synthetic, not real)" in (tmp_path / "out" / "catalog.html").read_text(encoding="utf-8")) is synthetic
