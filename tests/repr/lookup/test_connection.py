"""What SQLite refuses is told in words, and in one word for programs; our own mistakes are not hidden."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from repr.lookup.connection import Connection
from repr.lookup.refused import Refused, refused


def opened(file: Path, *, wait: float = 0.0) -> Connection:
    return sqlite3.connect(file, timeout=wait, isolation_level=None, factory=Connection)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with closing(opened(tmp_path / "index.db")) as db:
        db.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY, text TEXT NOT NULL)")
        db.executemany("INSERT INTO numbers VALUES (?, ?)", [(n, "x" * 500) for n in range(200)])
    return tmp_path / "index.db"


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        ("database is locked", "busy", "another process is writing to the index"),
        ("database is busy", "busy", "another process is writing to the index"),
        ("database or disk is full", "full", "the disk is full"),
        ("attempt to write a readonly database", "read-only", "the index cannot be written to"),
        ("database disk image is malformed", "broken", "not a readable index"),
        ("file is not a database", "broken", "not a readable index"),
        ("disk I/O error", "broken", "the index cannot be used (disk I/O error)"),
    ],
)
def test_every_refusal_has_a_kind_words_and_a_remedy(said: str, kind: str, words: str) -> None:
    error = refused(sqlite3.OperationalError(said), "shop.index/index.db")
    assert error.kind == kind and words in error.message and error.remedy and error.where == "shop.index/index.db"


def test_another_writer(file: Path) -> None:
    with closing(opened(file)) as first, closing(opened(file)) as second:
        first.execute("BEGIN IMMEDIATE")
        with pytest.raises(Refused) as raised:
            second.execute("BEGIN IMMEDIATE")
        assert raised.value.kind == "busy" and raised.value.where == str(file) and "`wait`" in raised.value.remedy
        first.execute("ROLLBACK")
        second.execute("BEGIN IMMEDIATE")


@pytest.mark.parametrize("how", ["fetchall", "fetchone", "fetchmany", "iteration"])
def test_damage_that_shows_only_when_rows_are_fetched(file: Path, how: str) -> None:
    whole = bytearray(file.read_bytes())
    whole[8192:] = bytes(len(whole) - 8192)
    file.write_bytes(whole)
    with closing(opened(file)) as db, pytest.raises(Refused) as raised:
        cursor = db.execute("SELECT n, text FROM numbers")
        if how == "iteration":
            for _ in cursor:
                pass
        else:
            while getattr(cursor, how)():
                pass
    assert raised.value.kind == "broken" and "backup" in raised.value.remedy


def test_no_database_at_all(tmp_path: Path) -> None:
    (tmp_path / "index.db").write_bytes(b"not a database at all" * 100)
    with closing(opened(tmp_path / "index.db")) as db, pytest.raises(Refused, match="not a readable index"):
        db.execute("SELECT 1 FROM sqlite_master")


def test_a_full_disk(file: Path) -> None:
    with closing(opened(file)) as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(Refused) as raised:
            db.executemany("INSERT INTO numbers VALUES (?, ?)", [(n, "x" * 5000) for n in range(1000, 1100)])
    assert raised.value.kind == "full"


def test_our_own_mistakes_are_seen_as_such(file: Path) -> None:
    with closing(opened(file)) as db:
        with pytest.raises(sqlite3.IntegrityError):
            db.execute("INSERT INTO numbers VALUES (1, 'again')")
        with pytest.raises(sqlite3.ProgrammingError):
            db.execute("SELECT n FROM numbers WHERE n = ?", (1, 2))


def test_a_script_is_told_too(file: Path) -> None:
    with closing(opened(file)) as db:
        db.executescript("CREATE TABLE more (n INTEGER); INSERT INTO more VALUES (7);")
        assert db.execute("SELECT n FROM more").fetchall() == [(7,)]
        with pytest.raises(Refused, match="the index cannot be used"):
            db.executescript("INSERT INTO nowhere VALUES (1);")
