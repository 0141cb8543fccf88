"""Products one by one: found by a text, a page at a time; what is known of one, its images, and changes of these."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from repr.catalog.names import normal
from repr.errors import UserError
from repr.lookup.store import Product, Store, StoredImage

LONGEST = 1000  # characters of an id
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")  # they break, hide or turn around what is printed
COLUMNS = " || char(10) || ".join(f"ifnull({name}, '')" for name in ("id", "name", "barcode", "category"))


@dataclass(frozen=True)
class Listed:
    """A product in a list. images: how many it has. cover: the id of its first image, None where it has none."""

    product: Product
    images: int
    cover: int | None


@dataclass(frozen=True)
class Page:
    """Some of the products that were asked for, in the order of their ids. total: how many there are on all pages."""

    products: tuple[Listed, ...]
    total: int


def page(store: Store, text: str = "", *, start: int = 0, most: int = 50) -> Page:
    """Products from `start` on whose id, name, barcode or category has the text in it (capital letters of ASCII do not matter)."""
    pattern = "%" + "".join(f"\\{sign}" if sign in "\\%_" else sign for sign in normal(text)) + "%"
    where = f"FROM products WHERE {COLUMNS} LIKE ? ESCAPE '\\'"
    with store.reading():
        rows = store.db.execute(f"SELECT number {where} ORDER BY id LIMIT ? OFFSET ?", (pattern, most, start)).fetchall()
        total = store.db.execute(f"SELECT count(*) {where}", (pattern,)).fetchone()[0]
        products = store.products([row[0] for row in rows])
        extents = [store.db.execute("SELECT count(*), min(id) FROM images WHERE product = ?", (number,)).fetchone() for number in products]
    listed = [Listed(product, images, cover) for product, (images, cover) in zip(products.values(), extents, strict=True)]
    return Page(tuple(listed), total)


def one(store: Store, id_: str) -> tuple[Product, tuple[StoredImage, ...]] | None:
    """A product and its images in the order in which they came; None where there is none of this id."""
    row = store.db.execute("SELECT number FROM products WHERE id = ?", (normal(id_),)).fetchone()
    product = store.products([row[0]]).get(row[0]) if row else None
    return None if product is None else (product, tuple(store.images(product=product.id)))


def evidence(store: Store, product: str, path: str) -> int | None:
    """The id of the image that a match names by its path; None where it is gone by now."""
    return next((image.id for image in store.images(product=product, path=path)), None)


def describe(store: Store, product: Product) -> bool:
    """Say of a product all that is known of it, anew: what is not given is forgotten. Returns whether it was not there yet.

    Raises UserError as `checked_id`.
    """
    product = replace(product, id=checked_id(product.id))
    with store.change("describe") as change:
        there = store.has_product(product.id)
        change.describe(product)
    return not there


def remove_images(store: Store, ids: Sequence[int]) -> int:
    """Take single images out, by their ids; returns how many there were. Their products stay, without an image if need be."""
    with store.change("remove") as change:
        return change.remove_images(ids)


def checked_id(id_: str, where: str | Path = "") -> str:
    """An id as the index keeps it. Raises UserError, with its place, for none, one that is too long, and one that no terminal shows."""
    id_ = normal(id_)
    if not id_:
        raise UserError("a product without an id", where, "Give it one")
    if len(id_) > LONGEST:
        raise UserError(f"a product's id of {len(id_):,} characters, {id_[:20]!r}…", where, f"Give it one of up to {LONGEST:,}")
    if CONTROL.search(id_):
        raise UserError(f"a product's id with control characters, {id_[:100]!r}", where, "Give it one of letters, digits and signs")
    return id_
