"""`Index.check`: the figures of `repr.lookup.check` with an index's own names and paths, on its own images or on given ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from repr.lookup.check import check
from repr.lookup.checking import mean_gain
from repr.lookup.gallery import Gallery
from repr.lookup.index import Index
from repr.models.weights import fresh
from repr.reports import check_report

PRODUCTS, IMAGES = 5, 6


def photo(product: int, image: int) -> Image.Image:
    """Stripes whose width is the product's, on noise of the image's own."""
    stripes = 120 * ((np.arange(64) // (2 + 3 * product)) % 2)[None, :, None]
    noise = np.random.default_rng(100 * product + image).integers(0, 130, (64, 64, 3))
    return Image.fromarray((stripes + noise).astype(np.uint8))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "shop"
    for product in range(PRODUCTS):
        (folder / f"p{product}").mkdir(parents=True)
        for image in range(IMAGES):
            photo(product, image).save(folder / f"p{product}" / f"{image}.png")
    Image.new("RGB", (64, 64), "white").save(folder / "p0" / "empty.png")
    photo(1, 50).filter(ImageFilter.GaussianBlur(8)).save(folder / "p1" / "soft.png")
    shutil.copy(folder / "p3" / "0.png", folder / "p2" / "twice.png")
    photo(4, 0).resize((128, 128)).save(folder / "p4" / "again.jpg", quality=90)
    (folder / "few").mkdir()
    photo(9, 0).save(folder / "few" / "0.png")
    return folder


@pytest.fixture(scope="module")
def index(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("i") / "i"
    return Index.create(folder, weights=fresh("resnet18", 32, 0), data=shop, crops=[1], learner="ncm", device="cpu")


def test_held_out_it_is_the_check_of_its_gallery(index: Index) -> None:
    told = index.check().as_json()
    report = check(Gallery(*index.gallery()), "ncm")
    assert (told["top1"], told["top5"], told["asked"]) == (report.top1, report.top5, report.asked)
    assert told["learner"] == "ncm" and told["images"] == PRODUCTS * IMAGES + 5 and told["products"] == PRODUCTS + 1
    pairs = [(pair["product"], pair["with"], pair["count"]) for pair in told["confused"]]  # type: ignore[union-attr,index,call-overload]
    assert pairs == [(pair.product, pair.other, pair.count) for pair in report.confused]
    assert told["few"] == ["few"]


def test_images_that_look_wrong_are_named_by_their_paths(index: Index, shop: Path, tmp_path: Path) -> None:
    found = {(one["image"], one["reason"]) for one in index.check().as_json()["suspects"]}  # type: ignore[union-attr,index,call-overload]
    assert {("p0/empty.png", "empty"), ("p1/soft.png", "blurred")} <= found
    assert ("p3/0.png", "doubled") in found or ("p2/twice.png", "doubled") in found
    assert ("p4/again.jpg", "doubled") in found or ("p4/0.png", "doubled") in found, "written anew, so of other bytes"
    moved = Index.open(index.folder, device="cpu")
    gone = [one for one in moved.check().report.suspects if one.reason == "unreadable"]
    assert gone == []


def test_given_photographs_are_asked_and_strangers_counted(index: Index, tmp_path: Path) -> None:
    for product in (0, 3, 7):
        (tmp_path / f"p{product}").mkdir()
        for image in range(4):
            photo(product, 200 + image).save(tmp_path / f"p{product}" / f"{image}.png")
    (tmp_path / "p0" / "broken.png").write_bytes(b"no image")
    checked = index.check(tmp_path)
    answers = {(p, i): index.lookup(tmp_path / f"p{p}" / f"{i}.png", k=5) for p in (0, 3, 7) for i in range(4)}
    right = [answers[p, i].matches[0].product == f"p{p}" for p in (0, 3) for i in range(4)]
    assert checked.report.asked == 8 and checked.report.top1 == pytest.approx(np.mean(right))
    assert {one.product: one.asked for one in checked.report.per_product} == {
        "p0": 4,
        "p3": 4,
        **dict.fromkeys(["p1", "p2", "p4", "few"], 0),
    }
    assert checked.strangers is not None
    assert (checked.strangers.count, checked.strangers.unknown) == (4, sum(bool(answers[7, i].unknown) for i in range(4)))
    for pair in checked.report.confused:
        assert all(checked.asked_image(image).startswith(pair.product) for image in pair.images)
    assert "given photographs" in checked.lines()[0]


def test_words_and_page_tell_the_same(index: Index, tmp_path: Path) -> None:
    checked = index.check()
    lines = "\n".join(checked.lines())
    assert f"first {checked.report.top1:.1%}" in lines and "few        1 products" in lines and "p0/empty.png" in lines
    page = check_report.write(tmp_path / "check.html", index.folder, checked, index.file, synthetic=False).read_text()
    assert page.index("What to try next") < page.index("Products that are confused") and "repr index check" in page
    assert "Nothing on it: 1" in page and "Blurred: 1" in page and page.count("data:image") > 4
    gain = mean_gain(checked.report)
    assert gain is None or f"{100 * gain:+.1f}" in page


def test_an_index_of_single_images_has_nothing_to_hold_out(tmp_path: Path) -> None:
    index = Index.create(tmp_path / "i", weights=fresh("resnet18", 32, 0), root=tmp_path, crops=[1], device="cpu")
    for product in range(3):
        index.add(f"p{product}", photo(product, 0))
    checked = index.check()
    assert (checked.report.top1, checked.report.asked, len(checked.report.few)) == (None, 0, 3)
    assert "no product has two images" in checked.lines()[0]
    check_report.write(tmp_path / "check.html", index.folder, checked, index.file, synthetic=True)
