"""Masks against products whose pixels are known."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image, ImageDraw

from repr.images.reader import Unreadable
from rpc_transfer.checkout.cutouts import Exemplar, cut_out, read_cut_out, shapes_of, write_product
from rpc_transfer.checkout.masks import product_mask

METHODS: tuple[Literal["ground", "grabcut"], ...] = ("ground", "grabcut")


def scene(dent: bool = False) -> tuple[Image.Image, Image.Image]:
    """A red package on a white disc before a grey wall, with a white label that reaches its edge; and its true mask."""
    image, mask = Image.new("RGB", (120, 100), (150, 150, 152)), Image.new("L", (120, 100))
    ImageDraw.Draw(image).ellipse((5, 20, 115, 95), fill=(224, 224, 222))
    shape = [(40, 30), (80, 36), (76, 80), (36, 74)]
    ImageDraw.Draw(mask).polygon(shape, fill=255)
    ImageDraw.Draw(image).polygon(shape, fill=(190, 30, 40))
    if dent:
        ImageDraw.Draw(image).polygon([(55, 32), (65, 34), (62, 50), (52, 50)], fill=(223, 223, 222))
    return image, mask


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dent", [False, True])
def test_the_package_is_found(method: Literal["ground", "grabcut"], dent: bool) -> None:
    image, true = scene(dent)
    found = product_mask(np.asarray(image), (36, 30, 81, 81), method)
    expected = np.asarray(true) > 127
    assert (found & expected).sum() / (found | expected).sum() > 0.9


@pytest.mark.parametrize("method", METHODS)
def test_where_nothing_differs_the_box_is_the_mask(method: Literal["ground", "grabcut"]) -> None:
    found = product_mask(np.full((40, 50, 3), 128, np.uint8), (10, 5, 30, 35), method)
    assert found.sum() == 20 * 30 and found[5:35, 10:30].all()


@pytest.mark.parametrize("method", METHODS)
def test_fruits_fill_their_images(shared: Path, method: Literal["ground", "grabcut"]) -> None:
    for file in sorted((shared / "fruits" / "test2019").iterdir())[::40]:
        pixels = np.asarray(Image.open(file).convert("RGB"))
        found = product_mask(pixels, (0, 0, pixels.shape[1], pixels.shape[0]), method)
        dark = (pixels.min(2) < 200).mean()
        assert abs(found.mean() - dark) < 0.12, file.name


def test_cut_outs_of_a_product_are_pruned_and_kept(tmp_path: Path) -> None:
    image, _ = scene()
    image.save(tmp_path / "wide.png")
    thin = Image.new("RGB", (120, 100), (150, 150, 152))
    ImageDraw.Draw(thin).rectangle((40, 50, 80, 54), fill=(190, 30, 40))
    thin.save(tmp_path / "thin.png")
    polygon = [[36.0, 30.0, 80.0, 30.0, 80.0, 60.0, 36.0, 60.0]]
    given = [
        Exemplar(tmp_path / "wide.png", (36, 30, 45, 51)),
        Exemplar(tmp_path / "thin.png", (40, 50, 41, 5)),
        Exemplar(tmp_path / "none.png", None),
        Exemplar(tmp_path / "wide.png", (36, 30, 45, 51), polygon),
    ]
    bad = write_product(tmp_path / "cut", given, "ground", 1.0)
    assert [Path(name).name for name, _ in bad] == ["none.png"]
    assert len(shapes_of(tmp_path / "cut")) == 2, "seen along its edge it is left out"
    by_records = read_cut_out(tmp_path / "cut", 1)
    assert by_records.shape == (31, 45, 4) and (by_records[..., 3] == 255).all()
    assert cut_out(given[0], "ground", 0.5).shape[0] in range(23, 27)
    with pytest.raises(Unreadable, match="a box outside the image"):
        cut_out(Exemplar(tmp_path / "wide.png", (500, 500, 5, 5)), "ground", 1.0)
