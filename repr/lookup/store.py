"""index.db: the truth of an index, one SQLite file. Everything else in the folder can be made again from it.

WAL with synchronous=FULL: a change that was answered is on the disk, a reader never waits for a writer and sees the last change that was
answered (https://www.sqlite.org/wal.html). Not on network file systems, where SQLite's locks do not hold.

Identity is content: an image is the SHA-256 of its file and its box, within a product; its path is only where it lay last. A product is
known by its id to people, and by a number to its images, so that it can be renamed. Numbers of images and products are never used twice.
`revision` counts changes; what was removed stands in `removed` with its revision, so that caches beside the file (`repr.lookup.cache`)
are extended, not made anew.
"""

from __future__ import annotations

import getpass
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from repr.arrays import Floats, Ints
from repr.errors import UserError
from repr.files import replacing
from repr.lookup.refused import refused

VERSION = 1
FILE = "index.db"
WAIT = 30.0  # seconds that a writer waits for another
SCHEMA = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE products (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT, barcode TEXT,
  category TEXT NOT NULL DEFAULT '[]', added TEXT NOT NULL
) STRICT;
CREATE TABLE images (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  product INTEGER NOT NULL REFERENCES products (number) ON DELETE CASCADE,
  path TEXT NOT NULL, box TEXT, content BLOB NOT NULL, added TEXT NOT NULL, who TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX same_image ON images (content, product, ifnull(box, ''));
CREATE INDEX images_of_product ON images (product);
CREATE INDEX images_at_path ON images (path);
CREATE TABLE features (
  image INTEGER PRIMARY KEY REFERENCES images (id) ON DELETE CASCADE, numbers BLOB NOT NULL
) STRICT;
CREATE TABLE removed (image INTEGER PRIMARY KEY, revision INTEGER NOT NULL) STRICT;
CREATE TABLE log (revision INTEGER PRIMARY KEY, at TEXT NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL) STRICT;
"""


@dataclass(frozen=True)
class Product:
    """A product as stored. id: any text but the empty one. category: names from the top down."""

    id: str
    name: str | None = None
    barcode: str | None = None
    category: tuple[str, ...] = ()


@dataclass(frozen=True)
class StoredImage:
    """An image as stored.

    path: relative to the root of the index's images, with /. content: SHA-256 of the file. box: x, y, w, h in pixels of the upright file.
    """

    id: int
    product: str
    path: str
    content: bytes
    box: tuple[float, ...] | None = None


@dataclass(frozen=True)
class NewImage:
    """An image to store: as `StoredImage`, with its features (d,) float32 as the encoder gave them."""

    product: str
    path: str
    content: bytes
    features: Floats
    box: tuple[float, ...] | None = None


class Store:
    """One connection to an index.db. Used from one thread; every thread and process opens its own."""

    def __init__(self, folder: Path, *, wait: float = WAIT) -> None:
        """Open an existing one. Raises UserError when there is none, or one of another version or of somebody else."""
        self.file = Path(folder) / FILE
        if not self.file.is_file():
            raise UserError("not an index (no index.db)", folder, "Make one with `repr index build`")
        self._connect(wait)
        version = int(str(self._one("PRAGMA user_version")))
        if version != VERSION:
            self.close()
            newer = version > VERSION
            raise UserError(
                f"written by {'a newer' if newer else 'another'} version ({version}, not {VERSION})",
                self.file,
                "Update the package" if newer else "Build the index again",
            )

    @classmethod
    def create(cls, folder: Path, settings: dict[str, object]) -> Store:
        """Make an empty one with its settings (JSON values by name). Raises UserError when there is one already."""
        folder = Path(folder)
        if (folder / FILE).exists():
            raise UserError("there is an index here already", folder, "Name another folder, or add to it")
        with replacing(folder / FILE) as temporary, closing(sqlite3.connect(temporary, isolation_level=None)) as fresh:
            fresh.execute("PRAGMA journal_mode = WAL")
            fresh.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
            change = Change(fresh, 1, _user())
            fresh.execute("BEGIN")
            change.settings(settings)
            change.log("create")
            fresh.execute("COMMIT")
        return cls(folder)

    def _connect(self, wait: float) -> None:
        """Open for reading and writing; where the folder cannot be written to, for reading alone."""
        for mode in ("mode=rw", "mode=ro", "immutable=1"):  # the last is for a folder without the files that readers share
            self.db = sqlite3.connect(f"{self.file.absolute().as_uri()}?{mode}", timeout=wait, isolation_level=None, uri=True)
            try:
                self.db.execute("SELECT 1 FROM sqlite_master").fetchone()
                break
            except sqlite3.OperationalError:
                self.close()
            except sqlite3.DatabaseError as error:
                self.close()
                raise self._broken(error) from None
        else:
            raise UserError("the index cannot be opened", self.file, "Check the permissions of its folder")
        self.db.execute("PRAGMA synchronous = FULL")
        self.db.execute("PRAGMA foreign_keys = ON")

    def _broken(self, error: sqlite3.Error) -> UserError:
        return UserError(f"not a readable index ({error})", self.file, "Restore it from a backup, or build it again")

    def close(self) -> None:
        """Close the connection."""
        with suppress(sqlite3.Error):
            self.db.close()

    def _one(self, query: str, *values: object) -> object:
        row = self.db.execute(query, values).fetchone()
        return None if row is None else row[0]

    @property
    def revision(self) -> int:
        """How many changes were made: it grows with each."""
        return int(str(self._one("SELECT ifnull(max(revision), 0) FROM log")))

    def setting(self, name: str) -> object:
        """A setting's JSON value; None where there is none."""
        value = self._one("SELECT value FROM settings WHERE name = ?", name)
        return None if value is None else json.loads(str(value))

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What is read inside shows one revision, whatever others commit meanwhile."""
        self.db.execute("BEGIN")
        try:
            yield
        finally:
            self._rollback()

    @contextmanager
    def change(self, what: str, *, who: str = "") -> Iterator[Change]:
        """A change, all of it or nothing; durable when the block has ended. what: the command, for the log.

        Another writer is waited for. Raises UserError when it takes longer, when the disk is full or the folder read-only.
        """
        try:
            self.db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise refused(error, self.file) from None
        try:
            change = Change(self.db, self.revision + 1, who or _user())
            yield change
            change.log(what)
            self.db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            self._rollback()
            raise refused(error, self.file) from None
        except BaseException:
            self._rollback()
            raise

    def _rollback(self) -> None:
        with suppress(sqlite3.Error):
            self.db.execute("ROLLBACK")

    def products(self, numbers: Iterable[int] | None = None) -> dict[int, Product]:
        """Products by number, all or those named, in the order of their ids."""
        query = "SELECT number, id, name, barcode, category FROM products"
        if numbers is None:
            rows = self.db.execute(f"{query} ORDER BY id").fetchall()
        else:
            rows = [row for n in numbers for row in self.db.execute(f"{query} WHERE number = ?", (n,))]
        return {row[0]: Product(row[1], row[2], row[3], tuple(json.loads(row[4]))) for row in rows}

    def has_product(self, id_: str) -> bool:
        """Whether there is a product of this id."""
        return self._one("SELECT 1 FROM products WHERE id = ?", id_) is not None

    def images(self, *, product: str | None = None, path: str | None = None) -> Iterator[StoredImage]:
        """Images, all, or of a product, or at a path, in the order of their ids."""
        terms = {"products.id": product, "images.path": path}
        given = {column: value for column, value in terms.items() if value is not None}
        where = " AND ".join(f"{column} = ?" for column in given) or "true"
        return self._images(f"WHERE {where} ORDER BY images.id", *given.values())

    def image(self, id_: int) -> StoredImage | None:
        """An image by its id; None where there is none (any more)."""
        return next(self._images("WHERE images.id = ?", id_), None)

    def _images(self, rest: str, *values: object) -> Iterator[StoredImage]:
        query = "SELECT images.id, products.id, path, content, box FROM images JOIN products ON products.number = images.product"
        for row in self.db.execute(f"{query} {rest}", values):
            yield StoredImage(row[0], row[1], row[2], row[3], _box(row[4]))

    def owners(self, *, above: int = 0) -> tuple[Ints, Ints]:
        """Ids (n,) of images with an id above `above`, ascending, and the numbers (n,) of their products."""
        rows = self.db.execute("SELECT id, product FROM images WHERE id > ? ORDER BY id", (above,)).fetchall()
        columns = np.array(rows, np.int64).reshape(len(rows), 2)
        return columns[:, 0].copy(), columns[:, 1].copy()

    def features(self, *, above: int = 0, dim: int) -> Iterator[tuple[Ints, Floats]]:
        """Ids (n,) and features (n, dim) float32 of images with an id above `above`, a few thousand at a time, in the order of ids.

        Raises UserError for features of another length.
        """
        cursor = self.db.execute("SELECT image, numbers FROM features WHERE image > ? ORDER BY image", (above,))
        while rows := cursor.fetchmany(8192):
            blob = b"".join(row[1] for row in rows)
            if len(blob) != 4 * dim * len(rows):
                raise UserError(f"features that are not of {dim} numbers", self.file, "Restore a backup, or build the index again")
            yield np.array([row[0] for row in rows], np.int64), np.frombuffer(blob, "<f4").reshape(len(rows), dim).astype(np.float32)

    def removed(self, *, since: int) -> list[int]:
        """Ids of images removed by changes after revision `since`."""
        return [row[0] for row in self.db.execute("SELECT image FROM removed WHERE revision > ?", (since,))]

    def counts(self) -> tuple[int, int]:
        """How many products, and how many images."""
        return int(str(self._one("SELECT count(*) FROM products"))), int(str(self._one("SELECT count(*) FROM images")))

    def history(self, last: int = 20) -> list[tuple[int, str, str, str, dict[str, int]]]:
        """The last changes, newest first: revision, when, by whom, what, and what it counted."""
        rows = self.db.execute("SELECT revision, at, who, what, detail FROM log ORDER BY revision DESC LIMIT ?", (last,))
        return [(*row[:4], json.loads(row[4])) for row in rows]

    def backup(self, target: Path) -> None:
        """A copy of the file as it is now, while others read and write (SQLite's online backup)."""
        with closing(sqlite3.connect(target)) as copy:
            self.db.backup(copy)

    def verify(self) -> list[str]:
        """What is wrong with the file, a sentence each; empty when nothing is."""
        wrong = [str(row[0]) for row in self.db.execute("PRAGMA integrity_check") if row[0] != "ok"]
        wrong += [f"row {row[1]} of {row[0]} points nowhere" for row in self.db.execute("PRAGMA foreign_key_check")]
        bare = self._one("SELECT count(*) FROM images WHERE id NOT IN (SELECT image FROM features)")
        return wrong + ([f"{bare} images have no features"] if bare else [])

    def compact(self) -> None:
        """Give the space of what was removed back to the disk."""
        self.db.execute("VACUUM")
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


class Change:
    """One transaction: what it does is counted for the log by name."""

    def __init__(self, db: sqlite3.Connection, revision: int, who: str) -> None:
        self.db, self.revision, self.who = db, revision, who
        self.counts: dict[str, int] = {}

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
            box = None if image.box is None else json.dumps(list(image.box))
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
        there = [id_ for id_ in ids if self.db.execute("DELETE FROM images WHERE id = ?", (id_,)).rowcount]
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

    def remove_empty_products(self) -> int:
        """Remove products without an image; returns how many."""
        query = "DELETE FROM products WHERE number NOT IN (SELECT product FROM images)"
        return self._count("products_removed", self.db.execute(query).rowcount)

    def rename(self, old: str, new: str) -> None:
        """Give a product another id; its images stay. The caller makes sure that `new` is free."""
        self._count("renamed", self.db.execute("UPDATE products SET id = ? WHERE id = ?", (new, old)).rowcount)


def _box(text: str | None) -> tuple[float, ...] | None:
    return None if text is None else tuple(map(float, json.loads(text)))


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="seconds")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
