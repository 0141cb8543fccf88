"""Phones' HEIC, from the file to a catalog, a pack and a fingerprint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repr.catalog import folders, listing
from repr.catalog.fingerprints import fingerprints, near_pairs
from repr.images.formats import FORMATS, HEIF
from repr.images.pack import make_pack
from repr.images.reader import read_image, shorter_side

pytestmark = pytest.mark.skipif(not HEIF, reason="pillow-heif is not installed")
COLOURS = {"tea": (200, 30, 30), "jam": (30, 160, 60)}


@pytest.fixture
def phone(tmp_path: Path) -> Path:
    """A folder of two classes with one HEIC of 64 × 48 px each, one of them under another ending, and a text called .heic."""
    for (name, colour), file in zip(COLOURS.items(), ("IMG_1.HEIC", "IMG_2.jpg"), strict=True):
        (tmp_path / "shop" / name).mkdir(parents=True)
        Image.new("RGB", (64, 48), colour).save(tmp_path / "shop" / name / file, "HEIF")
    (tmp_path / "shop" / "jam" / "notes.heic").write_text("no image")
    return tmp_path / "shop"


def test_it_is_one_of_the_formats(phone: Path) -> None:
    assert "HEIF" in FORMATS and shorter_side(phone / "tea" / "IMG_1.HEIC") == 48


def test_a_folder_of_them_is_catalogued_and_what_only_has_the_name_is_told(phone: Path) -> None:
    catalog = folders.read(phone)
    assert catalog.column("path").tolist() == ["jam/IMG_2.jpg", "tea/IMG_1.HEIC"]
    assert [(one.reason, one.examples) for one in catalog.passed_over] == [("not images", ("jam/notes.heic",))]


def test_they_are_packed_in_their_colours(phone: Path) -> None:
    catalog = folders.read(phone)
    pack = make_pack(catalog, 16)
    assert len(pack) == 2 and not pack.quarantine
    means = np.asarray(pack.pixels).reshape(2, -1, 3).mean(axis=1)
    expected = [COLOURS[product] for product in catalog.column("product")]
    assert np.abs(means - expected).max() < 8


def test_a_list_may_name_them(phone: Path) -> None:
    (phone / "shop.csv").write_text("image,product\ntea\\IMG_1.HEIC,T1\n", encoding="utf-8")
    catalog = listing.read(phone / "shop.csv")
    assert read_image(catalog.file(0)).size == (64, 48)


def test_it_is_a_twin_of_the_same_image_as_png(phone: Path) -> None:
    shape = np.linspace(0, 255, 48 * 64 * 3).reshape(48, 64, 3).astype(np.uint8)
    shape[10:30, 20:50] = (220, 40, 90)
    Image.fromarray(shape).save(phone / "tea" / "a.heic", "HEIF", quality=95)
    Image.fromarray(shape).save(phone / "tea" / "b.png")
    catalog = folders.read(phone)
    paths = catalog.column("path").tolist()
    twins = sorted((paths.index("tea/a.heic"), paths.index("tea/b.png")))
    assert near_pairs(fingerprints(catalog)).tolist() == [twins]
