from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from repr.cli.pack import command
from repr.errors import UserError


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Two class folders, five images, one of them broken."""
    for i in range(5):
        file = tmp_path / "shop" / ("tea" if i < 3 else "milk") / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (30, 20), (i, 0, 0)).save(file)
    (tmp_path / "shop" / "tea" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n cut")
    return tmp_path / "shop"


def test_json_is_one_object_and_words_go_to_stderr(shop: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--data", str(shop), "--size", "16", "--out", str(tmp_path / "p"), "--json"])
    assert result.exit_code == 0, result.exception
    content = json.loads(result.stdout)
    assert content["images"] == 4 and content["size"] == 16 and content["synthetic"] is False
    assert content["quarantined"][0]["image"].endswith("tea/1.png") and content["quarantined"][0]["reason"]
    assert "1 of 5 images could not be read" in result.stderr
    assert np.load(tmp_path / "p" / "pixels.npy").shape == (4, 16, 16, 3)


def test_without_json_it_says_what_and_where(shop: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--data", str(shop), "--size", "16", "--out", str(tmp_path / "p")])
    assert result.exit_code == 0 and "4 images of 16 px" in result.stdout and str(tmp_path / "p") in result.stdout
    again = CliRunner().invoke(command, ["--data", str(shop), "--size", "24", "--out", str(tmp_path / "p")])
    assert isinstance(again.exception, UserError) and "another size" in str(again.exception)
