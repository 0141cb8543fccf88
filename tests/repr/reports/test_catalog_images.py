"""The figures of a catalog's images: what was read on them, what classes look like, and what is left out where there is nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repr.catalog.table import Catalog, ClassName, Source, build
from repr.reports.catalog_images import Shown, image_figures

COLOURS = ((200, 30, 30), (30, 200, 30), (30, 30, 200))
NAMES = ("C+C", "a → b", "A: dairy")


def catalog(root: Path, *, ocr: list[str | None] | None = None, classes: int = 3, boxed: bool = False, images: int = 12) -> Catalog:
    """Noise around one colour a class; titles name the class."""
    rng = np.random.default_rng(0)
    for n in range(images):
        colour = np.array(COLOURS[n % classes]) + rng.normal(0, 25, (24, 24, 3))
        Image.fromarray(np.clip(colour, 0, 255).astype(np.uint8)).save(root / f"{n}.png")
    columns: dict[str, list[object]] = {
        "path": [f"{n}.png" for n in range(images)],
        "product": [str(n) for n in range(images)],
        "class_1": [n % classes for n in range(images)],
        "title": [f"{NAMES[n % classes]} fresh milk" for n in range(images)],
        "ocr": list(ocr or [None] * images),
    }
    if boxed:
        columns["box"] = [(2.0, 2.0, 20.0, 20.0)] * images
    names = tuple(ClassName(str(n + 1), NAMES[n]) for n in range(classes))
    return build(columns, classes=(names, (), ()), sources=(Source("shop", "folders", root),), default_level=1)


def drawn(of: Catalog, seed: int = 0) -> dict[str, Shown]:
    return {shown.name: shown for shown in image_figures(of, 1, np.random.default_rng(seed))}


@pytest.mark.parametrize("boxed", [False, True])
def test_classes_and_lookalikes_are_drawn(tmp_path: Path, boxed: bool) -> None:
    figures = drawn(catalog(tmp_path, boxed=boxed))
    assert set(figures) == {"classes_shown", "lookalikes"}
    assert "The 3 largest classes among 12 of 12 images" in figures["classes_shown"].caption
    for shown in figures.values():
        assert shown.image.mode == "RGB" and len(np.unique(np.asarray(shown.image).reshape(-1, 3), axis=0)) > 50, "images, no empty frames"


def test_ocr_that_says_what_the_title_says_stands_above_the_rest(tmp_path: Path) -> None:
    texts: list[str | None] = ["fresh milk", "xyz 123 qqq", "MILK FRESH", "!!", None, *[None] * 7]
    figures = drawn(catalog(tmp_path, ocr=texts))
    assert "of 4 drawn by chance" in figures["ocr_examples"].caption
    informative_alone = drawn(catalog(tmp_path, ocr=["fresh milk", *[None] * 11]))["ocr_examples"]
    assert figures["ocr_examples"].image.height > informative_alone.image.height, "two kinds, a row each"


def test_one_class_is_not_compared_with_itself(tmp_path: Path) -> None:
    assert drawn(catalog(tmp_path, classes=1)) == {}
    assert set(drawn(catalog(tmp_path, classes=1, ocr=["fresh milk"] * 12))) == {"ocr_examples"}


def test_without_image_files_nothing_is_drawn(tmp_path: Path) -> None:
    bare = catalog(tmp_path, ocr=["fresh milk"] * 12)
    for file in tmp_path.glob("*.png"):
        file.unlink()
    assert image_figures(bare, 1, np.random.default_rng(0)) == []


def test_images_that_cannot_be_read_are_left_out_of_the_comparison(tmp_path: Path) -> None:
    some = catalog(tmp_path)
    (tmp_path / "0.png").write_bytes(b"no image")
    assert "among 11 of 12 images" in drawn(some)["classes_shown"].caption


def test_the_same_generator_draws_the_same(tmp_path: Path) -> None:
    some = catalog(tmp_path, ocr=["fresh milk", "qqq"] * 6)
    first, second = drawn(some, 3), drawn(some, 3)
    assert [np.asarray(one.image).tobytes() for one in first.values()] == [np.asarray(one.image).tobytes() for one in second.values()]
