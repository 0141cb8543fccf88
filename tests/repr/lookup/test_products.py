"""Products one by one: what a text finds, a page at a time; described anew; single images taken out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from repr.errors import UserError
from repr.lookup import products
from repr.lookup.store import NewImage, Product, Store

SHOP = [
    Product("17", "Green tea", "0042", ("food", "tea")),
    Product("a_b", "50% off"),
    Product("红茶", None, None, ("food", "tea")),
    Product("empty"),
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store.create(tmp_path, {})) as store:
        with store.change("build") as change:
            change.put_products(SHOP)
            features = np.zeros(2, np.float32)
            change.add([NewImage(id_, f"{n}.png", bytes([n]), features) for n, id_ in enumerate(["17", "a_b", "红茶", "17"])])
        yield store


def ids(store: Store, text: str, **part: int) -> list[str]:
    return [one.product.id for one in products.page(store, text, **part).products]


def test_what_a_text_finds(store: Store) -> None:
    assert ids(store, "") == ["17", "a_b", "empty", "红茶"]
    assert ids(store, "TEA") == ids(store, " food") == ["17", "红茶"] and ids(store, "茶") == ["红茶"] and ids(store, "004") == ["17"]
    assert ids(store, "%") == ["a_b"] == ids(store, "_") and ids(store, "\\") == ids(store, "' OR 1=1 --") == []
    page = products.page(store, "", start=1, most=2)
    assert ([one.product.id for one in page.products], page.total) == (["a_b", "empty"], 4)
    assert [(one.images, one.cover) for one in products.page(store, "").products] == [(2, 1), (1, 2), (0, None), (1, 3)]


def test_one_product(store: Store) -> None:
    found = products.one(store, " 17 ")
    assert found is not None and found[0] == SHOP[0] and [image.path for image in found[1]] == ["0.png", "3.png"]
    assert products.one(store, "18") is None
    assert products.evidence(store, "17", "3.png") == 4 and products.evidence(store, "17", "1.png") is None


def test_described_anew(store: Store) -> None:
    assert not products.describe(store, Product("17", "Tea", None, ()))
    assert products.one(store, "17")[0] == Product("17", "Tea")  # type: ignore[index]
    assert products.describe(store, Product(" new ", barcode="7"))
    assert products.one(store, "new")[0].barcode == "7"  # type: ignore[index]
    with pytest.raises(UserError, match="without an id"):
        products.describe(store, Product(" "))
    assert store.history(1)[0][3] == "describe"


def test_single_images_go(store: Store) -> None:
    before = store.revision
    assert products.remove_images(store, [1, 99]) == 1 and products.remove_images(store, [1]) == 0
    assert [image.id for image in products.one(store, "17")[1]] == [4]  # type: ignore[index]
    assert store.removed(since=before) == [1] and store.verify() == []


@pytest.mark.parametrize("id_", ["-1", "--x", "a/b", "../a", " two words ", "红茶", "x" * 1000, "Caf\u0065\u0301", "%2F", "a\u200db"])
def test_any_text_of_one_line_is_an_id(id_: str) -> None:
    assert products.checked_id(id_) == {"Caf\u0065\u0301": "Caf\u00e9"}.get(id_, id_.strip())


@pytest.mark.parametrize(
    ("id_", "words"),
    [
        ("", "without an id"),
        (" \t ", "without an id"),
        ("x" * 1001, "1,001 characters"),
        *((f"a{sign}b", "control characters") for sign in "\n\r\t\0\x07\x1b\x7f\x85\u2028\u202e"),
    ],
)
def test_what_is_no_id_is_told_in_one_line(id_: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as refused:
        products.checked_id(id_, "here")
    assert refused.value.where == "here" and str(refused.value).isprintable()
