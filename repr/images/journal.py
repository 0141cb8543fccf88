"""progress.jsonl, the journal of a pack that is being made: one line a finished chunk, from which a killed run goes on."""

from __future__ import annotations

import fcntl
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TypedDict, cast

import numpy as np

from repr.arrays import Rows
from repr.images.decoded import Chunk

log = logging.getLogger(__name__)

NAME = "progress.jsonl"


class Line(TypedDict):
    """A line after the first: rows done in all when it was written, and of its own chunk the readable rows and the others."""

    done: int
    rows: list[list[int]]
    bad: list[tuple[int, str]]


@dataclass
class Journal:
    """What is done of a pack. rows: those written to pixels.npy; bad: (row, reason) of the unreadable; done: how many of both."""

    stream: IO[str]
    rows: list[int] = field(default_factory=list)
    bad: list[tuple[int, str]] = field(default_factory=list)
    done: int = 0

    def note(self, chunk: Chunk) -> None:
        """Write down a chunk whose pixels are on the disk."""
        positions = chunk.positions.tolist()
        self.rows.extend(positions)
        self.bad.extend(chunk.bad)
        self.done += len(positions) + len(chunk.bad)
        _write(self.stream, {"done": self.done, "rows": spans(positions), "bad": chunk.bad})


@contextmanager
def held(folder: Path) -> Iterator[IO[str]]:
    """The folder's journal, for this process alone; says so when it has to wait for another one that is packing the same."""
    with (folder / NAME).open("a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info(f"Another process is making {folder}; waiting for it.")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield stream


def resume(stream: IO[str], version: int, key: str, folder: Path, stored: int) -> Journal:
    """What a killed run had finished; nothing if it was of other images (another key).

    stored: images that pixels.npy has; what the journal says beyond that does not count.
    Leaves the journal with the lines that count, ready for more.
    """
    journal = Journal(stream)
    stream.seek(0)
    lines = stream.readlines()
    if not lines or (_entry(lines[0]) or {}).get("key") != key:
        if len(lines) > 1:
            log.info(f"The images or the size have changed since {folder} was begun; starting it again.")
        stream.truncate(0)
        _write(stream, {"version": version, "key": key})
        return journal
    length = len(lines[0].encode())
    for line in lines[1:]:
        entry = cast("Line | None", _entry(line))
        if entry is None or len(journal.rows) + len(written := from_spans(entry["rows"]).tolist()) > stored:
            break
        journal.rows.extend(written)
        journal.bad.extend((row, reason) for row, reason in entry["bad"])
        journal.done, length = entry["done"], length + len(line.encode())
    stream.truncate(length)
    return journal


def spans(rows: list[int]) -> list[list[int]]:
    """Ascending row numbers as [first, end) spans, which stay few when little is left out."""
    if not rows:
        return []
    cuts = np.flatnonzero(np.diff(rows) != 1) + 1
    return [[int(part[0]), int(part[-1]) + 1] for part in np.split(np.array(rows), cuts)]


def from_spans(pairs: list[list[int]]) -> Rows:
    """(n,) int64, the row numbers of spans."""
    return np.concatenate([np.arange(first, end, dtype=np.int64) for first, end in pairs] or [np.empty(0, np.int64)])


def _entry(line: str) -> dict[str, object] | None:
    """A line of the journal; None for one that was cut or damaged."""
    try:
        entry = json.loads(line) if line.endswith("\n") else None
    except json.JSONDecodeError:
        return None
    return entry if isinstance(entry, dict) else None


def _write(stream: IO[str], entry: Line | dict[str, int | str]) -> None:
    stream.write(json.dumps(entry, ensure_ascii=False) + "\n")
    stream.flush()
