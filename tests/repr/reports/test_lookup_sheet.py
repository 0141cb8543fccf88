"""The sheet of a lookup is an image of all photographs and matches; an image that is gone leaves an empty frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repr.lookup.matches import Match
from repr.reports import lookup_sheet


@pytest.mark.parametrize(("ending", "kind"), [(".png", "PNG"), (".jpg", "JPEG"), (".JPEG", "JPEG"), ("", "PNG")])
def test_photographs_and_matches_in_one_image(tmp_path: Path, ending: str, kind: str) -> None:
    for name in ("photo.png", "stored.png"):
        Image.new("RGB", (60, 40), "red").save(tmp_path / name)
    cut = Match("egg", 0.4, "stored.png", box=(0, 0, 20, 20))
    matches = [Match("milk", 0.9, "stored.png", name="Milk"), Match("tea", 0.5, "gone.png"), cut]
    file = tmp_path / f"sheet{ending}"
    lookup_sheet.write(file, {tmp_path / "photo.png": matches}, tmp_path, synthetic=True)
    with Image.open(file) as sheet:
        assert sheet.format == kind
        pixels = sheet.convert("RGB")
    array = np.asarray(pixels)
    red = (array[..., 0] > 200) & (array[..., 1] < 60) & (array[..., 2] < 60)
    assert red.sum() > 3 * 40 * 40, "the photograph and both images that are there"
