"""One change of index.db: what it counts for the log, what is replaced and what stays, and hostile ids as any other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from repr.lookup.store import NewImage, Product, Store

HOSTILE = ["C+C", "a → b", "A: dairy", "-1", "nan", "'); DROP TABLE products; --", "a/b", "龙井茶", "x" * 1000, "100%", "_"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path, {"root": str(tmp_path)})


def image(product: str, n: int, *, box: tuple[float, ...] | None = None, path: str = "") -> NewImage:
    return NewImage(product, path or f"{n}.jpg", n.to_bytes(32, "big"), np.full(4, n, np.float32), box)


def known(store: Store, id_: str) -> Product:
    return next(product for product in store.products().values() if product.id == id_)


def put(store: Store, *images: NewImage) -> dict[str, int]:
    with store.change("add") as change:
        change.put_products([Product(id_) for id_ in dict.fromkeys(one.product for one in images)])
        change.add(images)
    return change.counts


def test_hostile_ids_are_ids_as_any_other(store: Store) -> None:
    put(store, *(image(id_, n) for n, id_ in enumerate(HOSTILE)))
    assert {product.id for product in store.products().values()} == set(HOSTILE)
    for n, id_ in enumerate(HOSTILE):
        assert [one.path for one in store.images(product=id_)] == [f"{n}.jpg"] and store.has_product(id_)
    with store.change("remove") as change:
        assert change.remove_products(HOSTILE[1:]) == len(HOSTILE) - 1
    assert [product.id for product in store.products().values()] == HOSTILE[:1]


def test_what_is_known_is_added_to_and_described_anew(store: Store) -> None:
    with store.change("first") as change:
        change.put_products([Product("tea", "Green tea", None, ("Drinks", "Tea"))])
    with store.change("more") as change:
        change.put_products([Product("tea", None, "690", ())])
    assert known(store, "tea") == Product("tea", "Green tea", "690", ("Drinks", "Tea")), "what is not given stays"
    with store.change("describe") as change:
        change.describe(Product("tea", "Tea"))
    assert known(store, "tea") == Product("tea", "Tea"), "described anew, what is not given is forgotten"


def test_an_image_is_its_content_and_its_box_within_a_product(store: Store) -> None:
    assert put(store, image("tea", 1), image("jam", 1), image("tea", 1, box=(1, 2, 3, 4)))["added"] == 3
    again = put(store, image("tea", 1, path="moved.jpg"), image("tea", 1, box=(1.0, 2.0, 3.0, 4.0)))
    assert "added" not in again
    assert [(one.path, one.box) for one in store.images(product="tea")] == [("moved.jpg", None), ("1.jpg", (1, 2, 3, 4))]


def test_numbers_are_never_used_twice(store: Store) -> None:
    put(store, image("tea", 1), image("tea", 2))
    first = {one.id for one in store.images()}
    with store.change("remove") as change:
        change.remove_products(["tea"])
    put(store, image("tea", 1))
    assert not first & {one.id for one in store.images()} and store.removed(since=0) == sorted(first)


def test_the_log_says_who_did_what_and_how_often(store: Store) -> None:
    store.who = "service"
    put(store, image("tea", 1), image("tea", 2))
    with store.change("move") as change:
        change.move({one.id: f"new/{one.path}" for one in store.images()})
    with store.change("nothing"):
        pass
    with store.change("clean") as change:
        assert change.remove_images([one.id for one in store.images()] + [99]) == 2
        assert change.remove_empty_products(["tea", "none"]) == 1
    newest = store.history()
    assert [(what, counts) for _, _, _, what, counts in newest[:3]] == [
        ("clean", {"removed": 2, "products_removed": 1}),
        ("move", {"moved": 2}),
        ("add", {"products": 1, "added": 2}),
    ], "a change that changed nothing is none"
    assert {who for _, _, who, _, _ in newest[:3]} == {"service"} and store.revision == newest[0][0]


def test_products_with_images_stay_when_empty_ones_go(store: Store) -> None:
    put(store, image("tea", 1))
    with store.change("put") as change:
        change.put_products([Product("bare"), Product("other")])
    with store.change("clean") as change:
        assert change.remove_empty_products({"tea", "bare"}) == 1
    assert [product.id for product in store.products().values()] == ["other", "tea"], "only those that were named"


def test_what_fails_in_the_middle_is_not_done_at_all(store: Store) -> None:
    put(store, image("tea", 1))
    revision = store.revision
    with pytest.raises(KeyboardInterrupt), store.change("half") as change:
        change.remove_products(["tea"])
        change.settings({"root": "elsewhere"})
        raise KeyboardInterrupt
    assert store.counts() == (1, 1) and store.revision == revision and store.setting("root") != "elsewhere"


def test_the_next_weights_take_the_place_of_the_others_at_once(store: Store) -> None:
    put(store, image("tea", 1), image("tea", 2))
    ids = np.array([one.id for one in store.images()])
    with store.change("embed") as change:
        change.put_next([*ids.tolist(), 77], np.arange(9, dtype=np.float32).reshape(3, 3))
    assert store.next_count() == 2 and store.without_next(5) == [], "an image that is gone has none"
    np.testing.assert_array_equal(store.features_of(ids, 4), [[1, 1, 1, 1], [2, 2, 2, 2]])
    with store.change("switch") as change:
        change.switch_to_next()
    np.testing.assert_array_equal(store.features_of(ids, 3), [[0, 1, 2], [3, 4, 5]])
    assert store.next_count() == 0 and len(store.without_next(5)) == 2 and len(store.without_next(5, besides=[int(ids[0])])) == 1
