"""Images by content, JPEGs without their end, and phones' HEIC."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repr.images.formats import HEIF
from repr.images.reader import Unreadable, passing, read_image
from repr.images.sniff import why_not


def jpeg(*, progressive: bool = False) -> bytes:
    out = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (53, 77, 3), dtype=np.uint8)
    Image.fromarray(noise).save(out, "JPEG", progressive=progressive)
    return out.getvalue()


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("side", [None, 8])
def test_a_jpeg_that_lacks_only_its_end_marker_is_read_and_noted(
    progressive: bool, side: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = jpeg(progressive=progressive)
    assert read_image(whole[:-2], short_side=side).tobytes() == read_image(whole, short_side=side).tobytes()
    assert "lacks its end marker" in capsys.readouterr().err


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("missing", [10, 50, 500, 2000])
def test_a_jpeg_that_lacks_more_is_not(progressive: bool, missing: int) -> None:
    with pytest.raises(Unreadable):
        read_image(jpeg(progressive=progressive)[:-missing])


@pytest.mark.skipif(not HEIF, reason="pillow-heif is not installed")
def test_heic_is_read(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), (200, 30, 30)).save(tmp_path / "1.heic", "HEIF")
    image = read_image(tmp_path / "1.heic")
    assert image.size == (64, 48) and np.abs(np.asarray(image).mean(axis=(0, 1)) - (200, 30, 30)).max() < 6
    assert why_not(tmp_path / "1.heic") == ""


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("1.txt", b"hello", "not images"),
        ("1.pgm", b"P5 is what this text begins with", "not images"),
        ("1.dat", b"", "empty files"),
        ("1.jpg", b"whatever", ""),
        ("1", jpeg(), ""),
    ],
)
def test_reasons(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert why_not(tmp_path / name) == reason


def test_which_failures_may_pass() -> None:
    assert passing("permission denied") and passing("input/output error")
    assert not passing("no such file") and not passing("an empty file")
