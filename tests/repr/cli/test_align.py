"""`repr catalog align` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from repr.catalog.table import Catalog
from repr.cli.catalog import command
from repr.errors import UserError


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(command, ["align", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def shops(tmp_path: Path) -> tuple[Path, Path]:
    """Two shops as MEP-3M annotation files, without images."""

    def shop(name: str, classes: dict[str, list[str]]) -> Path:
        blank = {"class_id": "1", "class_name": "食品", "subsub_class_id": "FALSE", "subsub_class_name": "FALSE", "OCR": "FALSE"}
        blank |= {"img_resolution": [75, 75, 3]}  # type: ignore[dict-item]
        records = [
            {**blank, "sub_class_id": str(i), "sub_class_name": sub, "img_path": f"Images/{i}/{n}.jpg", "title": title}
            for i, (sub, titles) in enumerate(classes.items(), 1)
            for n, title in enumerate(titles, 1)
        ]
        (tmp_path / name).mkdir()
        (tmp_path / name / "annotation.json").write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")
        return tmp_path / name

    return (
        shop("east", {"休闲零食": ["薯片 大包", "饼干 牛奶 味"], "手机": ["手机 黑色"]}),
        shop("west", {"休闲食品": ["薯片 小包", "饼干 牛奶 味"], "手机壳": ["手机壳 透明"], "酒": ["白酒 一瓶"]}),
    )


def test_compare_then_merge(shops: tuple[Path, Path], tmp_path: Path) -> None:
    file = tmp_path / "mapping.csv"
    value = json.loads(run(*shops, "--json", "--out", file).stdout)
    first = value["pairs"][0]
    assert (first["a"], first["b"], first["s_label"], first["proposed"]) == ("休闲零食", "休闲食品", 0.75, "休闲零食")
    assert first["s_content"] > 0.75 and len(value["pairs"]) == 2 * 3
    assert [pair["proposed"] for pair in value["pairs"][1:]] == [None] * 5
    out = tmp_path / "merged.parquet"
    merged = json.loads(run(*shops, "--apply", file, "--out", out, "--json").stdout)
    assert merged["records"] == 7 and merged["classes"][:2] == [1, 4]
    assert len(Catalog.read(out).labels(2)[1]) == 4


def test_words(shops: tuple[Path, Path], tmp_path: Path) -> None:
    result = run(*shops, "--s-content", 0.3, "--out", tmp_path / "m.json")
    assert "休闲零食 / 休闲食品" in result.stdout and "6 pairs of level 2 compared" in result.stderr
    assert (tmp_path / "m.json").exists()
    applied = run("--data", shops[0], "--data", shops[1], "--apply", tmp_path / "m.json", "--out", tmp_path / "c.parquet")
    assert applied.stdout.strip() == str(tmp_path / "c.parquet") and "2 fewer" in applied.stderr


def test_wrong_usage(shops: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"across.* belong to comparing"):
        run(*shops, "--apply", "m.csv", "--level", 2, "--across")
    with pytest.raises(UserError, match="both s_content and derive"):
        run(*shops, "--derive", "--s-content", 0.5)
    with pytest.raises(UserError, match="no content threshold can be derived"):
        run(*shops, "--derive")
    with pytest.raises(UserError, match="given twice"):
        run(shops[0], shops[0])
