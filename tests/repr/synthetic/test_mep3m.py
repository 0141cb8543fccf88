"""The web shop in MEP-3M's format: a long tail of classes, Chinese titles, files that are the same every time."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from repr.synthetic.identity import skus
from repr.synthetic.mep3m import Listing, counts, draw_listings, folders, plan, write_annotations
from repr.synthetic.vocabulary import SUB_CLASSES

TOTAL = 600


@pytest.fixture(scope="module")
def listings() -> list[Listing]:
    return plan(TOTAL, 0)


@given(st.integers(0, 20_000), st.integers(0, 50))
@settings(max_examples=50)
def test_classes_have_a_long_tail_and_eight_at_least(total: int, seed: int) -> None:
    sizes = counts(total, np.random.default_rng(seed))
    assert set(sizes) == {sub.id for sub in SUB_CLASSES} and min(sizes.values()) >= 8
    assert sum(sizes.values()) <= max(total, 8 * 26) + 8 * 26
    assert list(sizes.values()) == sorted(sizes.values(), reverse=True)
    if total > 2000:
        assert sum(sizes.values()) == pytest.approx(total, rel=0.05) and max(sizes.values()) > 8 * min(sizes.values())


def test_which_class_is_large_follows_the_seed() -> None:
    largest = {max(sizes, key=sizes.__getitem__) for sizes in (counts(3000, np.random.default_rng(seed)) for seed in range(8))}
    assert len(largest) > 3


def test_records_stand_in_file_order(listings: list[Listing]) -> None:
    assert [listing.number for listing in listings] == list(range(len(listings)))
    order = [listing.sub_class.id for listing in listings]
    assert list(dict.fromkeys(order)) == [sub.id for sub in SUB_CLASSES]
    for sub in SUB_CLASSES:
        places = [listing.place for listing in listings if listing.sub_class is sub]
        assert places == list(range(1, order.count(sub.id) + 1)) and len(places) >= 8


def test_sizes_and_endings_are_mixed(listings: list[Listing]) -> None:
    assert 0.3 < np.mean([listing.side == 75 for listing in listings]) < 0.42
    assert {listing.side for listing in listings} == {75, 220}
    assert 0.02 < np.mean([listing.suffix == "png" for listing in listings]) < 0.09


def test_a_shop_may_have_more_small_images_and_loud_products() -> None:
    assert 0.74 < np.mean([listing.side == 75 for listing in plan(TOTAL, 0, small=0.8)]) < 0.86
    assert all(listing.product.loud for listing in plan(260, 0, loud=True)) and not any(listing.product.loud for listing in plan(260, 0))


def test_some_products_stand_twice_and_none_is_a_sku(listings: list[Listing]) -> None:
    repeated = Counter((listing.sub_class.id, listing.product) for listing in listings)
    again = sum(n - 1 for n in repeated.values())
    assert 0.04 < again / len(listings) < 0.14
    known = {(p.brand.name, p.item, p.flavour) for p in skus(0).values()}
    assert not known & {(x.product.brand.name, x.product.item, x.product.flavour) for x in listings}


def test_titles_are_chinese_and_name_product_and_class(listings: list[Listing]) -> None:
    with_words = 0
    for listing in listings:
        product, title = listing.product, listing.title
        assert f"{product.flavour}味{product.item}" in title and product.brand.name in title and product.amount in title
        chinese = len(re.findall(r"[一-鿿]", title))
        assert chinese > 0.4 * len(title)
        with_words += any(word in title for word in listing.sub_class.words)
    assert with_words > 0.9 * len(listings)


def test_titles_of_large_images_are_shorter(listings: list[Listing]) -> None:
    """Where small images are, another shop's habits show."""
    large, small = (np.mean([len(x.title) for x in listings if x.side == side]) for side in (220, 75))
    assert 25 < large < 45 and large + 10 < small < 70


def test_a_plan_is_the_same_every_time(listings: list[Listing]) -> None:
    assert plan(TOTAL, 0) == listings
    assert [x.title for x in plan(TOTAL, 1)] != [x.title for x in listings]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, listings: list[Listing]) -> tuple[Path, list[Listing], list[dict[str, object]]]:
    folder = tmp_path_factory.mktemp("web")
    folders(folder)
    chosen = listings[::8]
    return folder, chosen, draw_listings(folder, chosen, 0)


def test_images_are_written_where_the_record_says(written: tuple[Path, list[Listing], list[dict[str, object]]]) -> None:
    folder, chosen, records = written
    assert len(records) == len(chosen)
    for listing, record in zip(chosen, records, strict=True):
        assert record["img_path"] == f"Images/{listing.sub_class.id}/{listing.place}.{listing.suffix}"
        with Image.open(folder / str(record["img_path"])) as image:
            assert [*image.size, 3] == record["img_resolution"] and image.format == {"jpg": "JPEG", "png": "PNG"}[listing.suffix]
        assert (record["sub_class_id"], record["sub_class_name"]) == (str(listing.sub_class.id), listing.sub_class.name)
        assert (record["class_id"], record["title"]) == (str(listing.sub_class.class_id), listing.title)


def test_the_third_level_is_one_of_the_sub_classs_or_false(listings: list[Listing], tmp_path: Path) -> None:
    with_third = [x for x in listings if x.sub_class.third][::2]
    folders(tmp_path)
    levels = Counter()
    for listing, record in zip(with_third, draw_listings(tmp_path, with_third, 0), strict=True):
        third = (record["subsub_class_id"], record["subsub_class_name"])
        assert third in {("FALSE", "FALSE"), *((str(number), name) for number, name in listing.sub_class.third)}
        levels[third[0] == "FALSE"] += 1
    assert levels[True] and levels[False]


def test_an_image_depends_on_its_record_alone(written: tuple[Path, list[Listing], list[dict[str, object]]], tmp_path: Path) -> None:
    """However the work is shared out."""
    folder, chosen, records = written
    folders(tmp_path)
    for number in (3, 1):
        assert draw_listings(tmp_path, [chosen[number]], 0) == [records[number]]
        path = str(records[number]["img_path"])
        assert (tmp_path / path).read_bytes() == (folder / path).read_bytes()


def test_the_text_reader_fails_often_and_more_on_small_images(written: tuple[Path, list[Listing], list[dict[str, object]]]) -> None:
    _, chosen, records = written
    texts: dict[int, list[str]] = {75: [], 220: []}
    for listing, record in zip(chosen, records, strict=True):
        texts[listing.side].append(str(record["OCR"]))
    large, small = (np.mean([text == "FALSE" for text in texts[side]]) for side in (220, 75))
    assert 0.2 < large < 0.6 < small < 0.95
    read = [text for text in texts[220] if text not in ("", "FALSE")]
    assert any(re.search("[A-Za-z0-9]", text) for text in read) and sum(bool(re.search("[一-鿿]", text)) for text in read) > 0.8 * len(read)


def test_annotations_are_written_as_the_real_ones(tmp_path: Path) -> None:
    records: list[dict[str, object]] = [{"class_id": "5", "title": "薯片"}, {"class_id": "6", "title": "茶"}]
    write_annotations(tmp_path, records)
    text = (tmp_path / "annotation.json").read_text(encoding="utf-8")
    assert json.loads(text) == records and text == json.dumps(records, ensure_ascii=False, indent=4)


def test_the_class_table_is_readable_and_the_same_every_time(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        write_annotations(tmp_path / name, [])
    first, second = ((tmp_path / name / "dataset_info.xlsx").read_bytes() for name in "ab")
    assert first == second
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(2020, 1, 1, 0, 0, 0)}
        stamps = re.findall(r"\d{4}-\d\d-\d\dT", archive.read("docProps/core.xml").decode())
        assert set(stamps) == {"2020-01-01T"} and len(stamps) == 2, "not the time of writing"
    header, *rows = openpyxl.load_workbook(io.BytesIO(first)).active.values  # type: ignore[union-attr]
    assert header == ("class_id", "class_name", "sub_class_id", "sub_class_name", "subsub_class_id", "subsub_class_name")
    assert len(rows) == sum(1 + len(sub.third) for sub in SUB_CLASSES)
    for sub in SUB_CLASSES:
        mine = [row for row in rows if row[2] == sub.id]
        assert [row[:4] for row in mine] == [(sub.class_id, sub.class_name, sub.id, sub.name)] * len(mine)
        assert [row[4:] for row in mine] == [(False, False), *sub.third]
