"""Filling the OCR field: what is filled, what stays, going on after a stop, several processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from repr.catalog import ocr
from repr.catalog.engines import Line
from repr.catalog.ocr import fill
from repr.catalog.table import Catalog, Source, build
from repr.errors import UserError

READ: list[str] = []  # images the made engine has read


class Made:
    """An engine whose answer is in the image's first pixel."""

    version = "made 1"

    def __call__(self, image: Image.Image) -> list[Line]:
        red, green, _ = image.getpixel((0, 0))  # type: ignore[misc]
        READ.append(str(red))
        return [Line(f"text {red}", 0.9), Line("unsure", green / 255)] if red else []


@pytest.fixture(autouse=True)
def _made(monkeypatch: pytest.MonkeyPatch) -> None:
    READ.clear()
    monkeypatch.setattr(ocr, "make", lambda _: Made())


@pytest.fixture
def shop(tmp_path: Path) -> Catalog:
    """Six rows: three without OCR, one of them without a file; one with, one with an empty text; the last a box."""
    for n, colour in enumerate([(10, 0, 0), (20, 200, 0), (0, 0, 0), (40, 0, 0), (50, 0, 0)]):
        Image.new("RGB", (30, 20), colour).save(tmp_path / f"{n}.png")
    columns: dict[str, list[Any]] = {
        "path": ["0.png", "1.png", "2.png", "3.png", "missing.png", "4.png"],
        "ocr": [None, None, None, "kept", None, ""],
        "box": [None, [0, 0, 8, 8], None, None, None, None],
    }
    return build(columns, classes=((), (), ()), sources=(Source("shop", "csv", tmp_path),))


def test_only_what_lacks_is_filled(shop: Catalog, tmp_path: Path) -> None:
    filled = fill(shop, tmp_path / "out.parquet", workers=1)
    assert Catalog.read(tmp_path / "out.parquet").table["ocr"].to_pylist() == ["text 10", "text 20 unsure", None, "kept", None, ""]
    assert (filled.lacking, filled.resumed, filled.with_text) == (4, 0, 2)
    assert filled.unreadable == (("shop:missing.png", "no such file"),)
    assert filled.share == 3 / 6 and filled.confidence == pytest.approx((0.9 + 0.9 + 200 / 255) / 3)
    entries = [json.loads(line) for line in filled.journal.read_text(encoding="utf-8").splitlines()]
    assert entries[0]["engine"] == "made 1"
    size = (tmp_path / "0.png").stat().st_size
    assert entries[1] == {"image": "shop:0.png", "bytes": size, "lines": [["text 10", 0.9], ["unsure", 0.0]]}
    assert entries[2]["image"] == "shop:1.png#0,0,8,8"
    assert "4 images lacked OCR: 2 now have text" in filled.lines()[0]


def test_confidence_is_chosen_without_reading_again(shop: Catalog, tmp_path: Path) -> None:
    fill(shop, tmp_path / "out.parquet", workers=1)
    READ.clear()
    again = fill(shop, tmp_path / "out.parquet", workers=1, confidence=0.85)
    assert again.catalog.table["ocr"].to_pylist()[1] == "text 20" and not READ
    assert again.resumed == 3, "only the unreadable one is tried again"


def test_goes_on_after_a_stop(shop: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in the middle of a line of the journal: what stands whole before is not read again."""

    read = Made.__call__

    def stopping(engine: Made, image: Image.Image) -> list[Line]:
        if len(READ) == 2:
            raise KeyboardInterrupt
        return read(engine, image)

    monkeypatch.setattr(Made, "__call__", stopping)
    with pytest.raises(KeyboardInterrupt):
        fill(shop, tmp_path / "out.parquet", workers=1)
    monkeypatch.setattr(Made, "__call__", read)
    assert not (tmp_path / "out.parquet").exists()
    journal = tmp_path / "out.ocr.jsonl"
    journal.write_bytes(journal.read_bytes() + b'{"image": "shop:2.png", "lin')
    READ.clear()
    filled = fill(shop, tmp_path / "out.parquet", workers=1)
    assert filled.resumed == 2 and READ == ["0"]
    assert filled.catalog.table["ocr"].to_pylist() == ["text 10", "text 20 unsure", None, "kept", None, ""]
    assert all(json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines())


def test_a_changed_image_is_read_again(shop: Catalog, tmp_path: Path) -> None:
    fill(shop, tmp_path / "out.parquet", workers=1)
    Image.new("RGB", (300, 200), (77, 0, 0)).save(tmp_path / "0.png")
    again = fill(shop, tmp_path / "out.parquet", workers=1)
    assert again.resumed == 2 and again.catalog.table["ocr"].to_pylist()[0] == "text 77"
    assert fill(shop, tmp_path / "out.parquet", workers=1).catalog.table["ocr"].to_pylist()[0] == "text 77"


def test_odd_line_ends_in_the_text(shop: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Made, "__call__", lambda *_: [Line("one\u2028two\x85three\nfour", 1.0)])
    first = fill(shop, tmp_path / "out.parquet", workers=1)
    again = fill(shop, tmp_path / "out.parquet", workers=1)
    assert again.resumed == 3 and again.catalog.table["ocr"].equals(first.catalog.table["ocr"])


def test_nothing_lacks(tmp_path: Path) -> None:
    catalog = build({"path": ["a.png"], "ocr": ["here"]}, classes=((), (), ()), sources=(Source("s", "csv", tmp_path),))
    filled = fill(catalog, tmp_path / "out.parquet")
    assert filled.lacking == 0 and not filled.journal.exists() and "No image lacks OCR" in filled.lines()[0]


def test_bad_input(shop: Catalog, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none of 1 images could be read \(no such file\)"):
        fill(shop.select(slice_of(4)), tmp_path / "none.parquet", workers=1)
    assert not (tmp_path / "none.parquet").exists()
    with pytest.raises(UserError, match="is a folder"):
        fill(shop, tmp_path)
    journal = tmp_path / "out.ocr.jsonl"
    for text, message in (
        ('{"version": 1, "engine": "other 2"}\n', "begun with other 2, not made 1"),
        ("hello\n", "not a journal of OCR"),
        ('{"version": 9, "engine": "made 1"}\n', "newer version"),
        ('{"version": 1, "engine": "made 1"}\n[1]\n', "not a journal of OCR"),
    ):
        journal.write_text(text)
        with pytest.raises(UserError, match=message):
            fill(shop, tmp_path / "out.parquet", workers=1)


def slice_of(row: int) -> Any:
    import numpy as np

    return np.array([row])


def test_a_broken_image_is_counted(shop: Catalog, tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes((tmp_path / "1.png").read_bytes()[:40])
    filled = fill(shop, tmp_path / "out.parquet", workers=1)
    assert [key for key, _ in filled.unreadable] == ["shop:0.png", "shop:missing.png"]
