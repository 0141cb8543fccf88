"""Why a change of an index was refused, in words, and in one word for programs."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Literal

from repr.errors import UserError

BROKEN = "Restore it from a backup, or build it again"
Kind = Literal["busy", "full", "read-only", "broken", "away"]


class Refused(UserError):
    """What the index could not do. kind: why; "away": vectors lie in Milvus, which does not answer, else index.db did not take a change,
    of which nothing was done."""

    def __init__(self, kind: Kind, message: str, where: str | Path, remedy: str) -> None:
        super().__init__(message, where, remedy)
        self.kind = kind


def refused(error: sqlite3.DatabaseError | UnicodeDecodeError, file: str | Path) -> Refused:
    """What SQLite says, as an error for users."""
    text = str(error)
    if "locked" in text or "busy" in text:
        return Refused("busy", "another process is writing to the index", file, "Wait for it, or give a longer `wait`")
    if "full" in text:
        return Refused("full", "the disk is full", file, "Free some space and say the same again")
    if "readonly" in text:
        return Refused("read-only", "the index cannot be written to", file, "Check the permissions of its folder")
    if "malformed" in text or "not a database" in text:
        return Refused("broken", f"not a readable index ({text})", file, BROKEN)
    return Refused("broken", f"the index cannot be used ({text})", file, "Check the disk; restore a backup if it stays so")
