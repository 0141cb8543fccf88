"""Files that are either whole or not there, and the folder for what can be made again."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from repr.errors import UserError

log = logging.getLogger(__name__)

FULL = 1 << 20  # bytes: a failed write that leaves less than this has filled the disk


def cache_dir(*parts: str) -> Path:
    """Where things that can be made again are kept: $REPR_CACHE, else $XDG_CACHE_HOME/repr, else ~/.cache/repr."""
    root = os.environ.get("REPR_CACHE")
    base = Path(root) if root else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "repr"
    return base.joinpath(*parts)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` to write to; renamed to `path` when the block ends well, removed when it does not.

    Works for a file or for a folder that the block creates under the temporary name (an old folder is replaced).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        if path.is_dir():
            if not temporary.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            shutil.rmtree(path)
        temporary.replace(path)
    except Exception as error:
        # Writers in C say in words of their own that the disk is full: NumPy's, PyTorch's, safetensors', FAISS'.
        if not isinstance(error, UserError) and shutil.disk_usage(path.parent).free < FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        if isinstance(error, OSError) and error.errno and error.filename in (None, temporary, str(temporary)):
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error  # PyArrow's name no file
        raise
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


@contextmanager
def held(folder: Path, remedy: str = "Wait for it, or choose another `out`") -> Iterator[None]:
    """The folder, made if need be, for this process alone; one that was made and stayed empty goes again.

    Raises UserError when another process holds it. Where the file system knows no locks there is none.
    """
    folder = Path(folder)
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError("another process is writing here", folder, remedy) from None
        yield
    finally:
        os.close(lock)
        if is_new:
            with suppress(OSError):
                folder.rmdir()


def try_to_keep(path: Path, write: Callable[[Path], object]) -> None:
    """Write what can be made again to the cache by `write(path)`; where that fails, the work goes on without, and it is said why."""
    try:
        write(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        log.warning(f"Not kept for the next time: {reason} in {path.parent}. Set REPR_CACHE to a folder that can be written.")


def write_json(path: Path, value: object) -> None:
    """Write `value` as readable UTF-8 JSON, whole or not at all."""
    with replacing(path) as temporary:
        # A file name that is no text holds surrogates, which are written as JSON's own escapes.
        temporary.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8", errors="backslashreplace")


def read_json(path: Path) -> Any:
    """Read a JSON file (with or without a BOM). Raises UserError that names the place when it is missing or broken."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UserError("there is no such file", path, "Check the path") from None
    except UnicodeDecodeError as error:
        raise UserError(f"not UTF-8 at byte {error.start}", path, "Save the file as UTF-8") from None
    except json.JSONDecodeError as error:
        raise UserError(f"not JSON: {error.msg}", f"{path}:{error.lineno}:{error.colno}", "Mend or fetch the file again") from None


def content_key(*parts: object) -> str:
    """A short name (20 hex digits of SHA-256) for a combination of JSON-able values and bytes."""
    digest = hashlib.sha256()
    for part in parts:
        blob = part if isinstance(part, bytes) else json.dumps(part, sort_keys=True, default=str).encode()
        digest.update(len(blob).to_bytes(8, "little") + blob)
    return digest.hexdigest()[:20]


def check_writable(path: Path) -> None:
    """Raise what writing to `path` would, as far as it can be told before any work: a parent that is a file, no permission, a disk that is
    read-only. Nothing is made."""
    place = Path(path).absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir() and place != Path(path).absolute():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(place))
    if os.statvfs(place).f_flag & os.ST_RDONLY:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(place))
    if not os.access(place if place.is_dir() else place.parent, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))


def need_space(folder: Path, n_bytes: int, what: str) -> None:
    """Raise UserError before starting when the disk of `folder` has less than `n_bytes` free for `what`."""
    existing = Path(folder).absolute()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if free < n_bytes:
        raise UserError(
            f"{what} needs {n_bytes / 2**30:.1f} GiB and the disk has {free / 2**30:.1f} GiB free",
            folder,
            "Free some space or choose another folder with `out`",
        )
