from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, laplace

from repr.lookup.check import BLURRED, check, look_of
from repr.lookup.gallery import Gallery
from repr.lookup.held_out import held_out
from repr.records import to_json
from tests.repr.lookup.galleries import drawn, named, shop


def reasons(gallery: Gallery, reason: str, **given: object) -> dict[int, int | None]:
    """Suspects of a kind: image → other."""
    report = check(gallery, "ncm", **given)  # type: ignore[arg-type]
    return {suspect.image: suspect.other for suspect in report.suspects if suspect.reason == reason}


def test_its_figures_are_those_of_the_held_out_images() -> None:
    gallery = shop(spread=1.0)
    report, held = check(gallery, "ncm"), held_out(gallery, "ncm")
    assert report.top1 == held.right().mean()
    assert report.top5 == held.right(5).mean()
    shares = {gallery.names[held.classes[column]]: share for column, share in held.by_product().items()}
    assert {one.product: one.top1 for one in report.per_product} == shares
    assert [one.top1 for one in report.per_product] == sorted(shares.values())
    assert sum(one.asked for one in report.per_product) == report.asked == len(gallery)
    json.dumps(to_json(report))


def test_confused_pairs_count_every_wrong_answer() -> None:
    gallery = shop(spread=1.5)
    report, held = check(gallery, "ncm"), held_out(gallery, "ncm")
    given = held.scores.argmax(axis=1)
    assert sum(pair.count for pair in report.confused) == (given != held.columns).sum() > 0
    counts = [pair.count for pair in report.confused]
    assert counts == sorted(counts, reverse=True)
    for pair in report.confused:
        assert pair.product != pair.other
        assert 1 <= len(pair.images) <= pair.count
        assert all(gallery.names[gallery.columns[gallery.ids.tolist().index(image)]] == pair.product for image in pair.images)


def test_a_photograph_in_the_wrong_folder_is_found() -> None:
    x, y = drawn(spread=0.3)
    wrong = y.copy()
    wrong[[10, 50]] = [8, 0]  # images of products 1 and 6
    report = check(Gallery(x, named(wrong), np.arange(len(y))), "lda")
    found = {suspect.image: suspect for suspect in report.suspects if suspect.reason == "mislabelled"}
    assert set(found) == {10, 50}
    assert (found[10].product, found[50].product) == ("p01", "p06")
    assert found[10].other is not None
    assert y[found[10].other] == 1


def test_a_clean_shop_has_no_suspects() -> None:
    assert check(shop(dim=64, spread=0.5), "lda").suspects == ()


def test_doubles_are_found_by_content_and_by_vector() -> None:
    x, y = drawn(6, 4, spread=1.0)
    x[9] = 1.0001 * x[3]
    gallery = Gallery(x, named(y), np.arange(len(y)))
    assert reasons(gallery, "doubled") == {9: 3}
    contents = [str(row) for row in range(len(y))]
    contents[20] = contents[2]
    assert reasons(gallery, "doubled", contents=contents) == {9: 3, 20: 2}
    assert reasons(gallery, "doubled", twins=np.array([[15, 6], [3, 9], [6, 21]])) == {9: 3, 15: 6, 21: 6}
    rest = Gallery.of_numbers(gallery.pieces, y, np.arange(len(y)), y > 0, gallery.norms)
    assert reasons(rest, "doubled", twins=np.array([[1, 15]])) == {}
    assert reasons(rest, "doubled", contents=contents) == {}


def test_blurred_and_empty_images_are_found() -> None:
    gallery = shop(4, 3)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (len(gallery), 24, 24, 3)).astype(np.uint8)
    pixels[4] = 200
    pixels[7] = np.linspace(0, 255, 24)[:, None, None].astype(np.uint8)
    looks = np.array([look_of(one) for one in pixels])
    looks[2] = np.nan
    assert reasons(gallery, "unreadable", looks=looks) == {102: None}
    assert reasons(gallery, "empty", looks=looks) == {104: None}
    assert reasons(gallery, "blurred", looks=looks) == {107: None}


def test_an_image_is_soft_beside_those_of_its_own_product() -> None:
    gallery = shop(3, 4)
    looks = np.column_stack([np.full(12, 50.0), np.repeat([1000.0, 100.0, 1000.0], 4)])
    looks[[2, 5, 11], 1] = [110.0, 90.0, 125.0]  # of the first product a tenth of the others, of the second as they are
    assert reasons(gallery, "blurred", looks=looks) == {102: None}
    few = Gallery.of_numbers(gallery.pieces, gallery.columns, gallery.ids, np.isin(np.arange(12), [2, 3, 4, 5, 8, 9]), gallery.norms)
    assert reasons(few, "blurred", looks=looks) == {}, "of two images each: beside all six, of which the median is 555"
    looks[5, 1] = 50.0
    assert reasons(few, "blurred", looks=looks) == {105: None}


def test_sharpness_is_that_of_scipys_laplacian() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (20, 30, 3)).astype(np.uint8)
    grey = pixels @ np.array([0.299, 0.587, 0.114])
    deviation, sharpness = look_of(pixels)
    assert deviation == pytest.approx(grey.std())
    assert sharpness == pytest.approx(laplace(grey)[1:-1, 1:-1].var())
    soft = np.repeat(gaussian_filter(grey, 3)[:, :, None], 3, axis=2).astype(np.uint8)
    assert look_of(soft)[1] < BLURRED < sharpness


def test_products_with_too_few_images_are_named() -> None:
    x, y = drawn(3, 4)
    kept = np.array([0, 1, 2, 3, 4, 5, 8])  # four, two and one
    report = check(Gallery(x[kept], named(y[kept]), kept), "ncm")
    assert report.few == ("p01", "p02")
    last = report.per_product[-1]
    assert (last.product, last.asked, last.top1) == ("p02", 0, None)


def test_the_curve_rises_and_one_more_image_gains_more_where_there_are_few() -> None:
    x, y = drawn(20, 24, spread=1.0)
    kept = (y >= 10) | (np.arange(len(y)) % 24 < 4)
    report = check(Gallery(x[kept], named(y[kept]), np.flatnonzero(kept)), "ncm")
    assert [point.images for point in report.curve][:3] == [1, 2, 3]
    assert report.curve[-1].top1 > report.curve[0].top1
    gains = {one.product: one.gain for one in report.per_product}
    assert gains["p00"] is not None
    assert gains["p15"] is not None
    assert gains["p00"] > gains["p15"] >= 0


def test_nothing_can_be_said_of_single_images() -> None:
    report = check(shop(5, 1), "neighbour")
    assert (report.top1, report.top5, report.asked, report.curve, report.confused) == (None, None, 0, (), ())
    assert len(report.few) == 5
    assert all(one.gain is None for one in report.per_product)
