"""reviews.db: photographs whose answer was unknown or doubtful, until a person has looked at them.

Not part of the index: it may be deleted at any time. Where it cannot be written, nothing is kept. The newest KEPT photographs stay.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal

from repr.lookup.matches import Answer, AnswerJson
from repr.lookup.refused import Refused

log = logging.getLogger(__name__)

FILE = "reviews.db"
KEPT = 200  # photographs: what a person may get through
BYTES = 256 * 2**20  # of them all
DOUBTFUL = 0.5  # probability of the best product below which a person should look
SCHEMA = """
CREATE TABLE IF NOT EXISTS doubts (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, reason TEXT NOT NULL, answer TEXT NOT NULL,
  content BLOB NOT NULL UNIQUE, bytes INTEGER NOT NULL, photograph BLOB NOT NULL
) STRICT;
"""
Reason = Literal["unknown", "doubtful"]


@dataclass(frozen=True)
class Kept:
    """A photograph to be looked at. at: when it was asked about, UTC; answer: what was answered."""

    id: int
    at: str
    reason: Reason
    answer: AnswerJson


def reason_of(answer: Answer) -> Reason | None:
    """Why a person should look at an answer; None where it is sure, or where the index does not tell."""
    if answer.unknown:
        return "unknown"
    sure = answer.matches[0].probability if answer.matches else None
    return "doubtful" if sure is not None and sure < DOUBTFUL else None


class Doubts:
    """The photographs of an index folder that wait for a person. A connection a call, so that any thread may ask."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / FILE

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.file, timeout=5)) as db, db:
                db.execute(SCHEMA)
                yield db
        except sqlite3.DatabaseError as error:
            if "locked" in str(error):
                raise Refused("busy", "another process is writing to the review queue", self.file, "Say the same again") from None
            raise Refused("broken", f"the review queue cannot be used ({error})", self.file, "Delete it if it stays so") from None

    def keep(self, photographs: Sequence[bytes], answers: Sequence[Answer]) -> int:
        """Keep those whose answer is unknown or doubtful; returns how many. A photograph that is there already stays as it was."""
        doubtful = [(data, answer, reason) for data, answer in zip(photographs, answers, strict=True) if (reason := reason_of(answer))]
        if not doubtful:
            return 0
        now = datetime.now(UTC).isoformat(timespec="seconds")
        rows = [
            (now, reason, json.dumps(answer.as_json(), ensure_ascii=False), sha256(data).digest(), len(data), data)
            for data, answer, reason in doubtful
        ]
        try:
            with self._open() as db:
                db.executemany(
                    "INSERT INTO doubts (at, reason, answer, content, bytes, photograph) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    rows,
                )
                db.execute(
                    "DELETE FROM doubts WHERE id NOT IN (SELECT id FROM (SELECT id, row_number() OVER newest AS place, "
                    "sum(bytes) OVER newest AS size FROM doubts WINDOW newest AS (ORDER BY id DESC)) WHERE place <= ? AND size <= ?)",
                    (KEPT, BYTES),
                )
        except Refused as error:
            log.warning(f"Doubtful photographs are not kept for review: {error}")
            return 0
        return len(rows)

    def page(self, *, start: int = 0, most: int = 20) -> tuple[list[Kept], int]:
        """Some of them, the newest first, and how many there are."""
        if not self.file.is_file():
            return [], 0
        with self._open() as db:
            rows = db.execute("SELECT id, at, reason, answer FROM doubts ORDER BY id DESC LIMIT ? OFFSET ?", (most, start)).fetchall()
            total = db.execute("SELECT count(*) FROM doubts").fetchone()[0]
        return [Kept(row[0], row[1], row[2], json.loads(row[3])) for row in rows], total

    def photograph(self, id_: int) -> bytes | None:
        """The photograph, as it was sent; None where there is none of this id."""
        if not self.file.is_file():
            return None
        with self._open() as db:
            row = db.execute("SELECT photograph FROM doubts WHERE id = ?", (id_,)).fetchone()
        return None if row is None else bytes(row[0])

    def settle(self, id_: int) -> bool:
        """Somebody has looked at it: let go of it. Returns whether it was there."""
        if not self.file.is_file():
            return False
        with self._open() as db:
            return bool(db.execute("DELETE FROM doubts WHERE id = ?", (id_,)).rowcount)
