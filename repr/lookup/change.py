"""What one transaction of an index.db does, counted by name for its log."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime

import numpy as np

from repr.arrays import Floats
from repr.lookup.schema import NEXT_FEATURES, NewImage, Product


class Change:
    """One transaction: what it does is counted for the log by name. released: paths of the images that it removed."""

    def __init__(self, db: sqlite3.Connection, revision: int, who: str) -> None:
        self.db, self.revision, self.who = db, revision, who
        self.counts: dict[str, int] = {}
        self.released: list[str] = []

    def _count(self, what: str, n: int) -> int:
        if n:
            self.counts[what] = self.counts.get(what, 0) + n
        return n

    def log(self, what: str) -> None:
        """Write the change into the log, if it changed something. Done by `Store.change` at its end."""
        if self.counts:
            detail = json.dumps(self.counts, ensure_ascii=False)
            self.db.execute("INSERT INTO log VALUES (?, ?, ?, ?, ?)", (self.revision, _now(), self.who, what, detail))

    def settings(self, values: dict[str, object]) -> None:
        """Set JSON values by name."""
        rows = [(name, json.dumps(value, ensure_ascii=False)) for name, value in values.items()]
        self.db.executemany("INSERT INTO settings VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", rows)
        self._count("settings", len(rows))

    def put_products(self, products: Iterable[Product]) -> None:
        """Store products; of known ones, name, barcode and category are replaced where they are given."""
        now = _now()
        rows = [(p.id, p.name, p.barcode, json.dumps(list(p.category), ensure_ascii=False), now) for p in products]
        self.db.executemany(
            "INSERT INTO products (id, name, barcode, category, added) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET name = ifnull(excluded.name, name), "
            "barcode = ifnull(excluded.barcode, barcode), category = iif(excluded.category = '[]', category, excluded.category)",
            rows,
        )
        self._count("products", len(rows))

    def describe(self, product: Product) -> None:
        """Store a product, or all that is known of it anew: what is not given is forgotten."""
        self.put_products([product])
        self.db.execute(
            "UPDATE products SET name = ?, barcode = ?, category = ? WHERE id = ?",
            (product.name, product.barcode, json.dumps(list(product.category), ensure_ascii=False), product.id),
        )

    def add(self, images: Sequence[NewImage]) -> int:
        """Store images of stored products. Those whose content and box the product has already only get their path.

        Returns how many are new.
        """
        new = 0
        for image in images:
            box = None if image.box is None else json.dumps(list(map(float, image.box)))
            row = self.db.execute(
                "INSERT INTO images (product, path, box, content, added, who) "
                "SELECT number, ?, ?, ?, ?, ? FROM products WHERE id = ? ON CONFLICT DO NOTHING RETURNING id",
                (image.path, box, image.content, _now(), self.who, image.product),
            ).fetchone()
            if row is None:
                self.db.execute(
                    "UPDATE images SET path = ? WHERE content = ? AND ifnull(box, '') = ifnull(?, '') "
                    "AND product = (SELECT number FROM products WHERE id = ?)",
                    (image.path, image.content, box, image.product),
                )
                continue
            self.db.execute("INSERT INTO features VALUES (?, ?)", (row[0], np.asarray(image.features, "<f4").tobytes()))
            new += 1
        return self._count("added", new)

    def move(self, paths: dict[int, str]) -> int:
        """Give images, by id, other paths."""
        self.db.executemany("UPDATE images SET path = ? WHERE id = ?", [(path, id_) for id_, path in paths.items()])
        return self._count("moved", len(paths))

    def remove_images(self, ids: Sequence[int]) -> int:
        """Remove images by id; returns how many there were."""
        rows = {id_: self.db.execute("DELETE FROM images WHERE id = ? RETURNING path", (id_,)).fetchone() for id_ in ids}
        there = [id_ for id_, row in rows.items() if row is not None]
        self.released += [rows[id_][0] for id_ in there]
        self.db.executemany("INSERT INTO removed VALUES (?, ?)", [(id_, self.revision) for id_ in there])
        return self._count("removed", len(there))

    def remove_products(self, ids: Sequence[str]) -> int:
        """Remove products with their images. Returns how many images went."""
        gone = 0
        for id_ in ids:
            of = "product = (SELECT number FROM products WHERE id = ?)"
            gone += self.remove_images([row[0] for row in self.db.execute(f"SELECT id FROM images WHERE {of}", (id_,))])
            self._count("products_removed", self.db.execute("DELETE FROM products WHERE id = ?", (id_,)).rowcount)
        return gone

    def remove_empty_products(self, among: Collection[str]) -> int:
        """Remove those of some products, by id, that have no image any more; returns how many."""
        query = "DELETE FROM products WHERE id IN (SELECT value FROM json_each(?)) AND number NOT IN (SELECT product FROM images)"
        return self._count("products_removed", self.db.execute(query, (json.dumps(sorted(among)),)).rowcount)

    def rename(self, old: str, new: str) -> None:
        """Give a product another id; its images stay. The caller makes sure that `new` is free."""
        self._count("renamed", self.db.execute("UPDATE products SET id = ? WHERE id = ?", (new, old)).rowcount)

    def put_next(self, ids: Sequence[int], features: Floats) -> None:
        """Store features (n, d) of the next weights; those of images that have gone meanwhile are left out."""
        rows = [(id_, np.asarray(row, "<f4").tobytes(), id_) for id_, row in zip(ids, features, strict=True)]
        self.db.executemany("INSERT OR REPLACE INTO next_features SELECT ?, ? FROM images WHERE id = ?", rows)
        self._count("embedded", len(rows))

    def clear_next(self) -> None:
        """Drop the features of the next weights."""
        self.db.execute("DELETE FROM next_features")

    def switch_to_next(self) -> None:
        """Put the features of the next weights, which every image has, in the place of the others."""
        self.db.execute("DROP TABLE features")
        self.db.execute("ALTER TABLE next_features RENAME TO features")
        self.db.execute(NEXT_FEATURES)


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")
