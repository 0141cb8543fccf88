"""Who the products are: brands that share a look, SKUs told apart by item and flavour, a web shop that sells none of the SKUs."""

from __future__ import annotations

import colorsys
import hashlib
import os
import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from repr.synthetic.identity import BRANDS_A_SUPERCATEGORY, EMBLEMS, LAYOUTS, Brand, Product, brands, skus, web_product
from repr.synthetic.vocabulary import FLAVOURS, FORMS, SUB_CLASSES, SUPERCATEGORIES, SubClass

SEEDS = range(4)
BY_NAME = {supercategory.name: supercategory for supercategory in SUPERCATEGORIES}


def of_brand(seed: int) -> dict[str, list[Product]]:
    products = defaultdict(list)
    for _, product in sorted(skus(seed).items()):
        products[product.brand.name].append(product)
    return products


@pytest.mark.parametrize("seed", SEEDS)
def test_brands_have_names_and_looks_of_their_own(seed: int) -> None:
    everyone: list[Brand] = []
    for name, makers in brands(seed).items():
        assert len(makers) == BRANDS_A_SUPERCATEGORY
        assert all(maker.pattern in BY_NAME[name].patterns for maker in makers)
        assert len({maker.base for maker in makers}) == len(makers)
        everyone += makers
    names = [maker.name for maker in everyone]
    assert len(set(names)) == len(names) == 17 * BRANDS_A_SUPERCATEGORY
    assert all(re.fullmatch(r"[一-鿿]{3}", name) for name in names)
    assert {maker.layout for maker in everyone} == set(LAYOUTS) and {maker.emblem for maker in everyone} == set(EMBLEMS)
    for maker in everyone:
        assert all(0 <= channel <= 255 for part in (maker.base, maker.second, maker.accent, maker.ink) for channel in part)


@pytest.mark.parametrize("seed", SEEDS)
def test_two_hundred_skus_of_rpcs_supercategories(seed: int) -> None:
    products = skus(seed)
    assert list(products) == list(range(1, 201))
    for category, product in products.items():
        supercategory = BY_NAME[product.supercategory]
        assert category in supercategory.ids and product.brand in brands(seed)[product.supercategory]
        assert (product.item, product.motif) in supercategory.items and product.flavour in supercategory.flavours


@pytest.mark.parametrize("seed", SEEDS)
def test_products_of_one_brand_share_its_look_and_keep_to_two_packages(seed: int) -> None:
    for products in of_brand(seed).values():
        assert len({product.brand for product in products}) == 1 and len({product.supercategory for product in products}) == 1
        assert len({product.form_name for product in products}) <= 2


@pytest.mark.parametrize("seed", SEEDS)
def test_a_brand_uses_all_flavours_but_one_before_it_repeats_any(seed: int) -> None:
    for products in of_brand(seed).values():
        flavours = [product.flavour for product in products]
        n = len(BY_NAME[products[0].supercategory].flavours) - 1
        windows = [flavours[i : i + n] for i in range(max(1, len(flavours) - n + 1))]
        assert all(len(set(window)) == len(window) for window in windows)


def test_skus_are_all_different() -> None:
    looks = {(p.brand.name, p.item, p.flavour, p.form_name, p.arrangement, p.mark, p.scale) for p in skus(0).values()}
    assert len(looks) == 200 and len({p.look for p in skus(0).values()}) == 200


def test_another_seed_is_another_shop() -> None:
    assert skus(0) is skus(0) and skus(0) != skus(1)
    assert {b.name for makers in brands(0).values() for b in makers} != {b.name for makers in brands(1).values() for b in makers}


def test_every_process_knows_the_same_products() -> None:
    """Whatever the seed of Python's hashes."""
    code = "import hashlib; from repr.synthetic.identity import skus; print(hashlib.sha256(repr(skus(5)).encode()).hexdigest())"
    expected = hashlib.sha256(repr(skus(5)).encode()).hexdigest()
    for hashing in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": hashing}
        )
        assert done.stdout.strip() == expected


def test_the_size_is_that_of_the_package_scaled() -> None:
    for product in skus(0).values():
        assert product.form is FORMS[product.form_name] and 0.86 <= product.scale <= 1.12
        assert product.size == pytest.approx([side * product.scale for side in product.form.size])


def test_amounts_are_round_and_larger_in_larger_packages() -> None:
    amounts = {}
    for product in skus(0).values():
        if product.amount == "1件":
            assert product.supercategory == "stationery"
            continue
        number, unit = re.fullmatch(r"(\d+)(g|ml)", product.amount).groups()  # type: ignore[union-attr]
        assert unit == BY_NAME[product.supercategory].unit and int(number) % 5 == 0 and int(number) > 0
        amounts[product] = (unit, np.prod(product.size), int(number))
    drinks = sorted((volume, number) for unit, volume, number in amounts.values() if unit == "ml")
    assert [number for _, number in drinks] == sorted(number for _, number in drinks)


def test_the_band_is_the_flavours_colour_and_the_ground_the_brands_leaning_to_it() -> None:
    for product in list(skus(0).values())[::7]:
        hue, saturation, value = FLAVOURS[product.flavour]
        expected = [round(255 * part) for part in colorsys.hsv_to_rgb(hue, saturation, value)]
        assert list(product.band) == expected
        base, ground = (colorsys.rgb_to_hsv(*(part / 255 for part in rgb)) for rgb in (product.brand.base, product.ground))
        assert ground[1] == pytest.approx(0.95 * base[1], abs=0.02) and ground[2] == pytest.approx(base[2], abs=0.01)
    product = skus(0)[1]
    grounds = {replace(product, flavour=flavour).ground for flavour in FLAVOURS}
    assert len(grounds) > 20, "the flavour shows in the ground"


def test_the_title_says_who_made_it_what_it_is_and_how_much() -> None:
    for product in skus(0).values():
        assert product.title == f"{product.brand.name}{product.flavour}味{product.item}{product.amount}"


@pytest.mark.parametrize("sub", SUB_CLASSES, ids=lambda s: s.name)
def test_the_web_shop_sells_what_its_sub_class_says_and_none_of_the_skus(sub: SubClass) -> None:
    rng = np.random.default_rng(sub.id)
    known = {(p.brand.name, p.item, p.flavour) for p in skus(0).values()}
    for _ in range(30):
        product = web_product(sub, 0, rng)
        assert product.supercategory in sub.supercategories and product.brand in brands(0)[product.supercategory]
        assert product.form_name in (sub.forms or BY_NAME[product.supercategory].forms)
        assert product.item in (sub.items or [word for word, _ in BY_NAME[product.supercategory].items])
        assert (product.brand.name, product.item, product.flavour) not in known


def test_web_products_follow_the_generator() -> None:
    first, second = (web_product(SUB_CLASSES[0], 0, np.random.default_rng(3)) for _ in range(2))
    assert first == second != web_product(SUB_CLASSES[0], 0, np.random.default_rng(4))


def test_loud_skus_are_the_same_products_printed_otherwise() -> None:
    assert {category: replace(product, loud=False) for category, product in skus(3, loud=True).items()} == skus(3)
    assert all(product.loud for product in skus(3, loud=True).values()) and not any(product.loud for product in skus(3).values())
