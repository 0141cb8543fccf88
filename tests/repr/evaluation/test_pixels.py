"""Raw pixels as features: less their mean, in the order of the images, whatever can be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repr.catalog.sources import open_data
from repr.errors import UserError
from repr.evaluation.pixels import SIZE, pixel_features


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for product in ("a", "b"):
        (tmp_path / "shop" / product).mkdir(parents=True)
        for i in range(2):
            Image.fromarray(rng.integers(0, 255, (SIZE, SIZE, 3), dtype=np.uint8)).save(tmp_path / "shop" / product / f"{i}.png")
    (tmp_path / "shop" / "b" / "1.png").write_bytes(b"no image")
    return tmp_path / "shop"


def test_they_are_the_images_less_their_mean(folder: Path) -> None:
    catalog = open_data((str(folder),), split="random")
    features, rows = pixel_features(catalog, workers=0)
    assert features.shape == (3, 3 * SIZE**2) and features.dtype == np.float32
    assert [Path(catalog.file(int(row))).relative_to(folder).as_posix() for row in rows] == ["a/0.png", "a/1.png", "b/0.png"]
    np.testing.assert_allclose(features.mean(axis=1), 0, atol=1e-5)
    pixels = np.asarray(Image.open(folder / "a" / "0.png"), np.float64).reshape(-1) / 255
    np.testing.assert_allclose(features[0], pixels - pixels.mean(), atol=1e-5)


def test_brightness_makes_no_likeness(tmp_path: Path) -> None:
    """Two bright images of unlike patterns: their cosine is that of the patterns, not of the brightness."""
    across = np.tile(np.where(np.arange(SIZE) < SIZE // 2, 200, 240)[None, :, None], (SIZE, 1, 3)).astype(np.uint8)
    for name, pixels in (("a", across), ("b", across.transpose(1, 0, 2))):
        (tmp_path / "shop" / name).mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / "shop" / name / "0.png")
    features, _ = pixel_features(open_data((str(tmp_path / "shop"),), split="random"), workers=0)
    first, second = features / np.linalg.norm(features, axis=1, keepdims=True)
    assert abs(float(first @ second)) < 1e-5


def test_a_cache_that_cannot_be_written_costs_no_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog = open_data((str(folder),), split="random")
    features, rows = pixel_features(catalog, workers=0)
    (folder.parent / "cache").write_text("a file, not a folder")
    monkeypatch.setenv("REPR_CACHE", str(folder.parent / "cache"))
    others, same = pixel_features(catalog, workers=0)
    np.testing.assert_array_equal(others, features)
    np.testing.assert_array_equal(same, rows)
    assert "not kept for the next time" in capsys.readouterr().err


def test_without_an_image_that_can_be_read_there_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "shop" / "a").mkdir(parents=True)
    for name in ("0.png", "1.png"):
        (tmp_path / "shop" / "a" / name).write_bytes(b"no image")
    with pytest.raises(UserError, match="none of the 2 images could be read"):
        pixel_features(open_data((str(tmp_path / "shop"),), split=None), workers=0)
