"""SQLite's connection to an index.db, which says in words, as UserError, what the disk or another writer refuses."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from repr.lookup.refused import refused

P = ParamSpec("P")
T = TypeVar("T")


def _told(method: Callable[P, T]) -> Callable[P, T]:
    """The same of a cursor. A file that is damaged is often noticed only when rows are fetched."""

    @wraps(method)
    def _call(*arguments: P.args, **named: P.kwargs) -> T:
        try:
            return method(*arguments, **named)
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):  # our own doing
            raise
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # the latter of what SQLite quotes
            raise refused(error, cast(Cursor, arguments[0]).file) from None

    return _call


_next = _told(sqlite3.Cursor.__next__)


class Cursor(sqlite3.Cursor):
    """SQLite's, which raises `repr.lookup.refused.Refused`."""

    execute = _told(sqlite3.Cursor.execute)
    executemany = _told(sqlite3.Cursor.executemany)
    executescript = _told(sqlite3.Cursor.executescript)
    fetchone = _told(sqlite3.Cursor.fetchone)
    fetchmany = _told(sqlite3.Cursor.fetchmany)
    fetchall = _told(sqlite3.Cursor.fetchall)

    def __next__(self) -> Any:
        return _next(self)

    @property
    def file(self) -> Path:
        """Where its database lies."""
        return Path(sqlite3.Cursor(self.connection).execute("PRAGMA database_list").fetchone()[2])


class Connection(sqlite3.Connection):
    """SQLite's, with such cursors."""

    def execute(self, *arguments: Any) -> Cursor:
        """As SQLite's."""
        return self.cursor(Cursor).execute(*arguments)

    def executemany(self, *arguments: Any) -> Cursor:
        """As SQLite's."""
        return self.cursor(Cursor).executemany(*arguments)

    def executescript(self, *arguments: Any) -> sqlite3.Cursor:
        """As SQLite's."""
        return self.cursor(Cursor).executescript(*arguments)
