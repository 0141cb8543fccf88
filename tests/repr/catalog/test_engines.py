"""The engines read drawn text; without them the error names what to install."""

from __future__ import annotations

import shutil
from importlib.util import find_spec

import pytest
from PIL import Image, ImageDraw, ImageFont

from repr.catalog import engines
from repr.catalog.engines import Line, lines_of, make
from repr.errors import UserError


def drawn(text: str) -> Image.Image:
    image = Image.new("RGB", (300, 90), "white")
    ImageDraw.Draw(image).text((20, 25), text, "black", ImageFont.load_default(36))
    return image


@pytest.mark.parametrize("name", ["rapidocr", "tesseract"])
def test_reads_what_is_written(name: str) -> None:
    if name == "rapidocr" and not (find_spec("rapidocr") and find_spec("onnxruntime")):
        pytest.skip("rapidocr is not installed")
    if name == "tesseract" and shutil.which("tesseract") is None:
        pytest.skip("tesseract is not installed")
    engine = make(name)
    assert name in engine.version.lower()
    lines = engine(drawn("MILK 500"))
    assert "".join(line.text for line in lines).replace(" ", "") == "MILK500"
    assert all(0.5 < line.confidence <= 1 for line in lines)
    assert [line for line in engine(Image.new("RGB", (75, 75), "white")) if line.confidence > 0.5] == []


def test_tesseract_table() -> None:
    head = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n"
    words = [(1, 1, 90, "奶"), (1, 1, 70, "粉"), (1, 1, 80, "900g"), (1, 2, 50, '"new'), (1, 2, -1, ""), (2, 1, -1, " ")]
    rows = "".join(f"5\t1\t{block}\t1\t{line}\t1\t0\t0\t9\t9\t{sure}\t{text}\n" for block, line, sure, text in words)
    found = lines_of(head + rows)
    assert [line.text for line in found] == ["奶粉 900g", '"new']
    assert [line.confidence for line in found] == pytest.approx([0.8, 0.5])
    assert lines_of(head) == []
    assert found[1] == Line('"new', 0.5)


def test_an_unknown_engine() -> None:
    with pytest.raises(UserError, match="Did you mean tesseract"):
        make("tesserac")


@pytest.mark.parametrize("absent", [{"rapidocr", "onnxruntime"}, {"onnxruntime"}])
def test_without_rapidocr(monkeypatch: pytest.MonkeyPatch, absent: set[str]) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda name: None if name in absent else object())
    with pytest.raises(UserError, match="pip install rapidocr onnxruntime") as error:
        make("rapidocr")
    assert all(name in str(error.value) for name in absent) and "tesseract-ocr" in str(error.value)


def test_without_tesseract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(UserError, match="tesseract-ocr and tesseract-ocr-chi-sim"):
        make("tesseract")


def test_tesseract_without_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "tesseract")
    monkeypatch.setattr(engines, "_tesseract", lambda *_, **__: "List of available languages (2):\neng\nosd\n")
    with pytest.raises(UserError, match=r"lacks the language chi_sim\. Install the system's package tesseract-ocr-chi-sim"):
        make("tesseract")
