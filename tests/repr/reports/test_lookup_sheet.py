"""The sheets of a lookup are images of all photographs and matches; an image that is gone leaves an empty frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repr.errors import UserError
from repr.lookup.matches import Answer, Match
from repr.reports import lookup_sheet
from repr.reports.lookup_sheet import Sheets


def reds(file: Path) -> int:
    with Image.open(file) as sheet:
        array = np.asarray(sheet.convert("RGB"))
    return int(((array[..., 0] > 200) & (array[..., 1] < 60) & (array[..., 2] < 60)).sum())


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    for name in ("photo.png", "stored.png"):
        Image.new("RGB", (60, 40), "red").save(tmp_path / name)
    return tmp_path / "photo.png"


@pytest.mark.parametrize(("ending", "kind"), [(".png", "PNG"), (".jpg", "JPEG"), (".JPEG", "JPEG"), ("", "PNG")])
def test_photographs_and_matches_in_one_image(tmp_path: Path, photo: Path, ending: str, kind: str) -> None:
    cut = Match("egg", 0.4, "stored.png", box=(0, 0, 20, 20))
    matches = (Match("milk", 0.9, "stored.png", name="Milk", probability=0.8), Match("tea", 0.5, "gone.png"), cut)
    file = tmp_path / f"sheet{ending}"
    with Sheets(file, lambda path: tmp_path / path, synthetic=True) as sheets:
        sheets.add(Answer(str(photo), matches, True))
        sheets.add(Answer("broken.png", error="not an image"))
    with Image.open(file) as sheet:
        assert sheet.format == kind
    assert sheets.files == [file] and reds(file) > 3 * 40 * 40, "the photograph and both images that are there"


def test_many_photographs_go_to_pages(tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup_sheet, "PAGE", 2)
    with Sheets(tmp_path / "s.png", lambda path: tmp_path / path, synthetic=False) as sheets:
        for _ in range(5):
            sheets.add(Answer(str(photo)))
    assert [file.name for file in sheets.files] == ["s.png", "s-2.png", "s-3.png"]
    one = reds(sheets.files[2])
    assert one > 0 and [reds(file) for file in sheets.files] == [2 * one, 2 * one, one]


def test_without_an_answer_there_is_no_sheet(tmp_path: Path) -> None:
    with Sheets(tmp_path / "s.png", lambda path: tmp_path / path, synthetic=False) as sheets:
        sheets.add(Answer("broken.png", error="not an image"))
    assert sheets.files == [] and not (tmp_path / "s.png").exists()
    with pytest.raises(UserError, match="no image format"):
        Sheets(tmp_path / "s.pdf", lambda path: tmp_path / path, synthetic=False)
