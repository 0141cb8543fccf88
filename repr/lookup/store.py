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
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from repr.arrays import Floats, Ints
from repr.errors import UserError
from repr.files import replacing
from repr.lookup import own
from repr.lookup.change import Change
from repr.lookup.connection import Connection
from repr.lookup.refused import BROKEN, Refused, refused
from repr.lookup.schema import SCHEMA, NewImage, Product, StoredImage
from repr.shared import Writing

__all__ = ["FILE", "VERSION", "Change", "NewImage", "Product", "Store", "StoredImage"]

VERSION = 2  # of the tables and of the settings in them; raise it when older ones are no longer read rightly
FILE = "index.db"


class Store:
    """One connection to an index.db. Used from one thread; every thread and process opens its own.

    who: makes the changes, for the log; "" for the user of the system.
    """

    who = ""

    def __init__(self, folder: Path, *, wait: float = Writing.wait) -> None:
        """Open an existing one. Raises UserError when there is none, or one of another version or of somebody else."""
        self.file = Path(folder) / FILE
        if not self.file.is_file():
            raise UserError("not an index (no index.db)", folder, "Make one with `repr index build`")
        self._connect(wait)
        version = int(str(self._one("PRAGMA user_version")))
        if version != VERSION:
            self.close()
            if not self.file.stat().st_size:
                raise UserError("not an index (index.db is empty)", self.file, BROKEN)
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
        with replacing(folder / FILE) as temporary, closing(sqlite3.connect(temporary, isolation_level=None, factory=Connection)) as fresh:
            fresh.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
            change = Change(fresh, 1, _user())
            fresh.execute("BEGIN")
            change.settings(settings)
            change.log("create")
            fresh.execute("COMMIT")
            # Last: what stands in a -wal is not renamed with its file, and what closing fails to carry over from there is lost in silence.
            fresh.execute("PRAGMA journal_mode = WAL")
        return cls(folder)

    def _connect(self, wait: float) -> None:
        """Open for reading and writing; where the folder cannot be written to, for reading alone.

        Immutable: without locks, and without what stands in a -wal. The last resort, for a folder without the files that readers share,
        where nobody writes just now; `outdated` says when somebody has.
        """
        for mode in ("mode=rw", "mode=ro", "immutable=1"):
            self._seen = self._signature() if mode == "immutable=1" else None
            if self._seen and self._seen[-1]:
                what = "its last changes stand in its -wal, and can be read only where the folder can be written to"
                raise UserError(what, self.file, "Let somebody open it once who may write there")
            self.db = sqlite3.connect(
                f"{self.file.absolute().as_uri()}?{mode}", timeout=wait, isolation_level=None, uri=True, factory=Connection
            )
            try:
                sqlite3.Cursor(self.db).execute("SELECT 1 FROM sqlite_master").fetchone()
                break
            except sqlite3.OperationalError as error:
                self.close()
                if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:  # by another, not for good
                    raise refused(error, self.file) from None
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # the latter of what SQLite quotes
                self.close()
                raise refused(error, self.file) from None
        else:
            raise UserError("the index cannot be opened", self.file, "Check the permissions of its folder")
        self.db.execute("PRAGMA synchronous = FULL")
        self.db.execute("PRAGMA foreign_keys = ON")

    def _signature(self) -> tuple[int, int, int, int]:
        """What of the files changes with their content; last, the size of the -wal, 0 without one."""
        status, wal = self.file.stat(), self.file.with_name(f"{FILE}-wal")
        return status.st_ino, status.st_mtime_ns, status.st_size, wal.stat().st_size if wal.is_file() else 0

    @property
    def outdated(self) -> bool:
        """Whether the files have changed in a way that this connection does not see: to be closed, and another opened."""
        return self._seen is not None and self._seen != self._signature()

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
        return None if value is None else self._json(value)

    def _json(self, value: object) -> Any:
        """A value that was written as JSON. Raises Refused where the file is damaged."""
        try:
            return json.loads(str(value))
        except ValueError:
            raise Refused("broken", f"not a readable index ({str(value)[:40]!r} is no JSON)", self.file, BROKEN) from None

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What is read inside shows one revision, whatever others commit meanwhile."""
        self.db.execute("BEGIN")
        try:
            yield
        finally:
            self._rollback()

    @contextmanager
    def change(self, what: str) -> Iterator[Change]:
        """A change, all of it or nothing; durable when the block has ended. what: the command, for the log.

        Another writer is waited for. Raises UserError when it takes longer, when the disk is full or the folder read-only.
        """
        self.db.execute("BEGIN IMMEDIATE")
        try:
            change = Change(self.db, self.revision + 1, self.who or _user())
            yield change
            change.log(what)
            self.db.execute("COMMIT")
        except BaseException:
            self._rollback()
            raise
        with suppress(UserError, OSError):  # else `sweep` finds them
            self._release(change.released)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While no other process changes anything; nor does this one. Raises UserError as `change`."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            self._rollback()

    def _release(self, paths: Iterable[str]) -> None:
        """Delete the files that the index kept of images that have gone, unless others are of the same content."""
        kept = {path: file for path in paths if (file := own.place(self.file.parent, path)) is not None}
        if kept:
            with self.alone():
                gone = [file for path, file in kept.items() if self._one("SELECT 1 FROM images WHERE path = ?", path) is None]
                own.delete(self.file.parent, gone)

    def strays(self) -> list[Path]:
        """Files in the index's own folder of images that belong to none: left over when a process was interrupted."""
        rows = self.db.execute("SELECT path FROM images WHERE path LIKE ?", (f"{own.MARK}%",))
        wanted = {own.place(self.file.parent, row[0]) for row in rows}
        return [file for file in own.files(self.file.parent) if file not in wanted]

    def sweep(self) -> int:
        """Delete the strays; returns how many there were. Raises UserError as `change`."""
        with self.alone():
            return own.delete(self.file.parent, self.strays())

    def _rollback(self) -> None:
        with suppress(sqlite3.Error, UserError):
            self.db.execute("ROLLBACK")

    def products(self, numbers: Iterable[int] | None = None) -> dict[int, Product]:
        """Products by number, all or those named, in the order of their ids."""
        query = "SELECT number, id, name, barcode, category FROM products"
        if numbers is None:
            rows = self.db.execute(f"{query} ORDER BY id").fetchall()
        else:
            rows = [row for n in numbers for row in self.db.execute(f"{query} WHERE number = ?", (n,))]
        return {row[0]: Product(row[1], row[2], row[3], tuple(self._json(row[4]))) for row in rows}

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
            yield StoredImage(row[0], row[1], row[2], row[3], None if row[4] is None else tuple(map(float, self._json(row[4]))))

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

    def features_of(self, ids: Ints, dim: int) -> Floats:
        """(n, dim) features of images by their ids; zeros for those that are not there."""
        rows = self.db.execute(
            "SELECT image, numbers FROM features WHERE image IN (SELECT value FROM json_each(?))", (json.dumps(ids.tolist()),)
        )
        vectors = {row[0]: np.frombuffer(row[1], "<f4") for row in rows}
        none = np.zeros(dim, np.float32)
        return np.array([vectors.get(id_, none) for id_ in ids.tolist()], np.float32).reshape(len(ids), dim)

    def features_of_same(self, content: bytes, box: tuple[float, ...] | None) -> Floats | None:
        """(d,) features of a stored image of this content and box, whichever its product; None where there is none."""
        blob = self._one(
            "SELECT numbers FROM features JOIN images ON images.id = features.image WHERE content = ? AND ifnull(box, '') = ? LIMIT 1",
            content,
            "" if box is None else json.dumps(list(map(float, box))),
        )
        return np.frombuffer(blob, "<f4").astype(np.float32) if isinstance(blob, bytes) else None

    def next_count(self) -> int:
        """How many images have features of the next weights (`repr.lookup.reindex`)."""
        return int(str(self._one("SELECT count(*) FROM next_features")))

    def without_next(self, most: int, *, besides: Collection[int] = ()) -> list[StoredImage]:
        """Images, up to `most`, that have no features of the next weights, but for some ids."""
        rest = "WHERE images.id NOT IN (SELECT image FROM next_features) AND images.id NOT IN (SELECT value FROM json_each(?))"
        return list(self._images(f"{rest} ORDER BY images.id LIMIT ?", json.dumps(list(besides)), most))

    def removed(self, *, since: int) -> list[int]:
        """Ids of images removed by changes after revision `since`."""
        return [row[0] for row in self.db.execute("SELECT image FROM removed WHERE revision > ?", (since,))]

    def counts(self) -> tuple[int, int]:
        """How many products, and how many images."""
        return int(str(self._one("SELECT count(*) FROM products"))), int(str(self._one("SELECT count(*) FROM images")))

    def cut_out(self) -> bool:
        """Whether there are images, and all of them are cut out by boxes."""
        return self._one("SELECT count(*) > 0 AND count(box) = count(*) FROM images") == 1

    def history(self, last: int = 20) -> list[tuple[int, str, str, str, dict[str, int]]]:
        """The last changes, newest first: revision, when, by whom, what, and what it counted."""
        rows = self.db.execute("SELECT revision, at, who, what, detail FROM log ORDER BY revision DESC LIMIT ?", (last,))
        return [(*row[:4], self._json(row[4])) for row in rows]

    def backup(self, target: Path) -> None:
        """A copy of the file as it is now, while others read and write (SQLite's online backup)."""
        try:
            with closing(sqlite3.connect(target)) as copy:
                self.db.backup(copy)
        except sqlite3.DatabaseError as error:
            raise refused(error, Path(target)) from None

    def verify(self) -> list[str]:
        """What is wrong with the file, a sentence each; empty when nothing is."""
        try:
            return self._wrong()
        except Refused as error:
            return [str(error)]

    def _wrong(self) -> list[str]:
        wrong = [str(row[0]) for row in self.db.execute("PRAGMA integrity_check") if row[0] != "ok"]
        wrong += [f"row {row[1]} of {row[0]} points nowhere" for row in self.db.execute("PRAGMA foreign_key_check")]
        bare = self._one("SELECT count(*) FROM images WHERE id NOT IN (SELECT image FROM features)")
        return wrong + ([f"{bare} images have no features"] if bare else [])

    def compact(self) -> None:
        """Give the space of what was removed back to the disk."""
        self.db.execute("VACUUM")
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
