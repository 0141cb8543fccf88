"""The figures of a catalog are well-formed, stand alone, say when the data are drawn, and show what the data allow."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from repr.catalog import mep3m, parts
from repr.catalog.statistics import statistics
from repr.catalog.table import Catalog, ClassName, Source, build
from repr.reports import sheet
from repr.reports.catalog_page import draw

TITLES = ["绿茶 特级 tea <b>", "绿茶 新茶", "红酒 tea", "c & d", None, "红酒 进口"]


def shop(root: Path, *, synthetic: bool = False, images: bool = False) -> Catalog:
    paths = [f"{n}.png" for n in range(6)]
    root.mkdir(exist_ok=True)
    for n, path in enumerate(paths if images else ()):
        pixels = np.random.default_rng(n).integers(0, 255, (20, 20, 3)).astype(np.uint8)
        Image.fromarray(pixels).resize((60, 60)).save(root / path)
    columns = {
        "path": paths,
        "product": paths,
        "class_1": [0, 0, 0, 0, 1, 1],
        "class_2": [0, 0, 1, 1, -1, -1],
        "title": TITLES,
        "ocr": ["绿茶新鲜特级好", None, "", "x", None, None],
        "width": [220, 75] * 3,
        "height": [220, 75] * 3,
    }
    first = (ClassName("1", "食品/酒水 <&>"), ClassName("2", "tools"))
    second = (ClassName("1", "茶", 0), ClassName("2", "酒", 0))
    source = Source("shop", "mep3m", root, synthetic=synthetic)
    return build(columns, classes=(first, second, ()), sources=(source,), default_level=1)


def drawn(catalog: Catalog, out: Path, **pairs: dict[str, tuple[str, ...]]) -> set[str]:
    return {file.name for file in draw(catalog, statistics(catalog), out, **pairs)}


@pytest.mark.parametrize("synthetic", [False, True])
def test_drawn(tmp_path: Path, synthetic: bool) -> None:
    pytest.importorskip("jieba")
    out = tmp_path / "out"
    names = drawn(shop(tmp_path / "shop", synthetic=synthetic), out)
    of_titles = {"title_cloud.png"} if "title_cloud.png" in names else {"title_terms.svg"}
    numbers = {"long_tail.svg", "classes.svg", "resolutions.svg", "title_lengths.svg", "ocr.svg", "characters.svg", "tree.svg"}
    assert names == numbers | of_titles | {"catalog.html"}
    for name in numbers:
        text = (out / name).read_text(encoding="utf-8")
        ElementTree.fromstring(text)
        assert "var(" not in text and ("synthetic" in text) is synthetic
    page = (out / "catalog.html").read_text(encoding="utf-8")
    assert "食品/酒水" in (out / "classes.svg").read_text(encoding="utf-8")
    assert ("(synthetic, not real)" in page) is synthetic
    assert "No image of these data is on this machine" in page and "<details><summary>食品/酒水 &lt;&amp;&gt;" in page


def test_figures_of_images_are_drawn_where_there_are_images(tmp_path: Path) -> None:
    pytest.importorskip("jieba")
    out = tmp_path / "out"
    names = drawn(shop(tmp_path / "shop", images=True), out)
    assert {"ocr_examples.png", "classes_shown.png", "lookalikes.png"} <= names
    page = (out / "catalog.html").read_text(encoding="utf-8")
    assert "No image of these data" not in page and page.count("data:image") >= 3
    for name in ("ocr_examples.png", "classes_shown.png", "lookalikes.png"):
        with Image.open(out / name) as image:
            assert image.width > 96 and len(image.getcolors(1 << 20) or ()) > 50


def test_images_that_cannot_be_read_leave_their_figures_out(tmp_path: Path) -> None:
    catalog = shop(tmp_path / "shop", images=True)
    for file in (tmp_path / "shop").glob("*.png"):
        file.write_bytes(b"no image")
    names = drawn(catalog, tmp_path / "out")
    assert "long_tail.svg" in names and not names & {"classes_shown.png", "lookalikes.png"}


def test_rows_without_a_class_are_not_compared(tmp_path: Path) -> None:
    catalog = shop(tmp_path / "shop", images=True)
    names = {file.name for file in draw(catalog, statistics(catalog, 2), tmp_path / "out")}  # two rows have no sub-class
    assert "classes_shown.png" in names


def test_a_font_without_chinese_gives_bars_in_place_of_the_cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jieba")
    monkeypatch.setattr(sheet, "CHINESE_FONTS", ())
    sheet.typeface.cache_clear()
    try:
        names = drawn(shop(tmp_path / "shop", images=True), tmp_path / "out")
    finally:
        sheet.typeface.cache_clear()
    assert "title_terms.svg" in names and "title_cloud.png" not in names
    bars = (tmp_path / "out" / "title_terms.svg").read_text(encoding="utf-8")
    assert "绿茶" in bars and "no font of this machine" in bars  # the reader's browser has the letters


def test_without_jieba_the_other_figures_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from repr.catalog import words

    monkeypatch.setitem(__import__("sys").modules, "jieba", None)
    for kept in (words._cut, words._jieba):
        kept.cache_clear()
    names = drawn(shop(tmp_path / "shop"), tmp_path / "out")
    assert "title_lengths.svg" in names and not names & {"title_cloud.png", "title_terms.svg"}
    for kept in (words._cut, words._jieba):
        kept.cache_clear()


def test_the_correspondence_with_rpc_is_that_of_the_list(shared: Path, tmp_path: Path) -> None:
    """Every class of the list and every supercategory, and a line for every pair."""
    pairs = parts.load("mep-for-rpc").counterparts
    names = drawn(mep3m.read(shared / "mep3m"), tmp_path, counterparts=pairs)
    assert "correspondence.svg" in names
    text = (tmp_path / "correspondence.svg").read_text(encoding="utf-8")
    told = set(re.findall(r">([^<>]+)</text>", text))
    assert {partner for partners in pairs.values() for partner in partners} <= told and len(pairs) == 26
    assert {parts.load("mep-for-rpc").ids[identity] for identity in pairs} <= told or set(pairs) <= told
    assert text.count("stroke-width: 1.1") == sum(map(len, pairs.values()))


def test_two_classes_of_one_name_stay_two(tmp_path: Path) -> None:
    catalog = shop(tmp_path / "shop")
    named = replace(catalog, classes=((ClassName("1", "milk"), ClassName("2", "milk")), *catalog.classes[1:]))
    assert "correspondence.svg" in drawn(named, tmp_path / "out", counterparts={"1": ("drink",), "2": ("drink", "dessert")})
    text = (tmp_path / "out" / "correspondence.svg").read_text(encoding="utf-8")
    assert "milk (1)" in text and "milk (2)" in text and text.count("stroke-width: 1.1") == 3
