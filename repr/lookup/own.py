"""Images that an index keeps in its own folder, since they lie nowhere else: images/, named by the SHA-256 of their content.

A file is written while a change holds index.db for itself, just before the row of its image is committed, and deleted in the same way after
the row has gone: so no file goes that another process is about to need. What an interruption leaves over, `compact` deletes. Who copies
the folder holds off deleting meanwhile (`standing`).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from repr.errors import UserError
from repr.files import replacing

FOLDER = "images"
MARK = "index:"  # what the path of an image begins with that lies here


def place(folder: Path, path: str) -> Path | None:
    """Where an image that the index keeps itself lies; None for the path of another.

    Raises UserError for what is no bare file name: a row from elsewhere must not lead out of the folder, whose files are deleted.
    """
    if not path.startswith(MARK):
        return None
    name = path.removeprefix(MARK)
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise UserError(f"a stored image that is not in the index's own folder ({path})", folder, "Remove its product")
    return folder / FOLDER / name


def keep(file: Path, data: bytes) -> None:
    """Write an image's file, unless it is there; on the disk when this returns."""
    if file.is_file():
        return
    with replacing(file) as temporary, temporary.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    with _opened(file.parent) as folder:
        os.fsync(folder)


def files(folder: Path) -> list[Path]:
    """All that lies there, halves of files that were being written too."""
    return sorted((folder / FOLDER).iterdir()) if (folder / FOLDER).is_dir() else []


def delete(folder: Path, unwanted: Collection[Path]) -> int:
    """Delete files that no image has any more; returns how many went: none while somebody copies the folder."""
    if not unwanted:
        return 0
    with _opened(folder / FOLDER) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        for file in unwanted:
            file.unlink(missing_ok=True)
    return len(unwanted)


@contextmanager
def standing(folder: Path) -> Iterator[None]:
    """While no file is deleted."""
    if not (folder / FOLDER).is_dir():
        yield
        return
    with _opened(folder / FOLDER) as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield opened
    finally:
        os.close(opened)
