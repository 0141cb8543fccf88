"""`repr catalog ocr` as it is typed, with the real engine in two processes."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image, ImageDraw, ImageFont

from repr.catalog import engines
from repr.catalog.table import Catalog, Source, build
from repr.cli.catalog import command
from repr.errors import UserError


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(command, ["ocr", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """MEP-3M's form: seven images with a word each, one of which has its OCR already."""
    records = []
    for n, word in enumerate(["MILK", "TEA", "RICE", "SALT", "SOAP", "HONEY", ""], 1):
        image = Image.new("RGB", (220, 80), "white")
        ImageDraw.Draw(image).text((20, 20), word, "black", ImageFont.load_default(36))
        (tmp_path / "shop" / "Images" / "3").mkdir(parents=True, exist_ok=True)
        image.save(tmp_path / "shop" / "Images" / "3" / f"{n}.png")
        record = {"class_id": "5", "class_name": "食品", "sub_class_id": "3", "sub_class_name": "饮料", "subsub_class_id": "FALSE"}
        record |= {"subsub_class_name": "FALSE", "img_path": f"Images/3/{n}.png", "title": f"fresh {word}"}
        records.append({**record, "img_resolution": [80, 220, 3], "OCR": "was here" if n == 1 else "FALSE"})
    (tmp_path / "shop" / "annotation.json").write_text(json.dumps(records), encoding="utf-8")
    return tmp_path / "shop"


@pytest.mark.slow
def test_two_processes_and_figures(shop: Path, tmp_path: Path) -> None:
    if not (find_spec("rapidocr") and find_spec("onnxruntime")):
        pytest.skip("rapidocr is not installed")
    out = tmp_path / "with-ocr.parquet"
    value = json.loads(run(shop, "--out", out, "--workers", 2, "--figures", tmp_path / "figures", "--json").stdout)
    assert Catalog.read(out).table["ocr"].to_pylist() == ["was here", "TEA", "RICE", "SALT", "SOAP", "HONEY", None]
    assert value["lacking"] == 6 and value["with_text"] == 5 and value["share"] == 6 / 7 and value["confidence"] > 0.8
    assert {"ocr.svg", "characters.svg"} <= {Path(file).name for file in value["figures"]}
    again = run(shop, "--out", out)
    assert again.stdout.strip() == str(out) and "6 of 6 images were read before" in again.stderr


def test_without_an_engine(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda _: None)
    with pytest.raises(UserError, match="pip install rapidocr onnxruntime"):
        run(shop, "--out", tmp_path / "c.parquet")
    with pytest.raises(UserError, match="Did you mean rapidocr"):
        run(shop, "--engine", "rapidcr")
    assert not list(tmp_path.glob("c.*"))


def test_figures_without_classes_are_refused_before_anything_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = build({"path": ["a.png"], "product": ["1"]}, classes=((), (), ()), sources=(Source("bare", "csv", tmp_path),))
    catalog.write(tmp_path / "bare.parquet")
    monkeypatch.setattr("repr.catalog.ocr.fill", lambda *_, **__: pytest.fail("read first"))
    with pytest.raises(UserError, match="no classes to draw figures of"):
        run(tmp_path / "bare.parquet", "--figures", tmp_path / "figures")
