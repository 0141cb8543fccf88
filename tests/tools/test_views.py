"""The further views of an image that tools/experiments/views.py stores beside it, against what they should be by hand."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]


@pytest.fixture
def views(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "tools" / "experiments")
    return importlib.import_module("views")


@pytest.fixture
def image() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8))


def test_mirrored_left_is_right(views: ModuleType, image: Image.Image) -> None:
    assert np.array_equal(np.asarray(views.mirrored(image, 0)), np.asarray(image)[:, ::-1])


def test_cropped_corners_are_the_images_own(views: ModuleType, image: Image.Image) -> None:
    pixels, crops = np.asarray(image), [np.asarray(views.cropped(image, number)) for number in range(4)]
    assert {crop.shape for crop in crops} == {(51, 68, 3)}
    assert np.array_equal(crops[0], pixels[:51, :68]) and np.array_equal(crops[3], pixels[9:, 12:])


def test_turned_by_a_few_degrees_one_way_and_the_other(views: ModuleType, image: Image.Image) -> None:
    one, other = (np.asarray(views.turned(image, number)).astype(int) for number in (0, 1))
    assert one.shape == other.shape == (60, 80, 3) and np.abs(one - other).mean() > 5
    mean = np.asarray(image).reshape(-1, 3).mean(axis=0).astype(int)
    assert np.array_equal(one[0, 0], mean) or np.array_equal(one[0, -1], mean), "corners in the mean colour"


def test_further_away_a_frame_in_the_mean_colour(views: ModuleType, image: Image.Image) -> None:
    framed = np.asarray(views.further(image, 0))
    high, wide = (framed.shape[0] - 60) // 2, (framed.shape[1] - 80) // 2
    assert (high, wide) == (4, 6) and np.array_equal(framed[high : high + 60, wide : wide + 80], np.asarray(image))
    assert (framed[:high] == np.asarray(image).reshape(-1, 3).mean(axis=0).astype(int)).all()
