"""The pack: images decoded once into a memory-mapped uint8 array that training reads without decoding again.

A folder. pixels.npy (n, size, size, 3) uint8, in catalog order, unreadable images left out; sources.npy, the fingerprint
of every row of the catalog; index.json, written last: version, size, fit, key, rows, quarantine, checksums. While it is
being made there is progress.jsonl instead, one line a finished chunk, from which a killed run goes on.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from repr import progress
from repr.arrays import Rows
from repr.catalog.table import Catalog
from repr.commands import command_line
from repr.errors import UserError
from repr.files import cache_dir, content_key, need_space, read_json, replacing, write_json
from repr.images.decode import CHUNK, Chunk, decode
from repr.images.known import Prints, fingerprints, finished, places, register
from repr.images.reader import MARGIN, Fit

log = logging.getLogger(__name__)

VERSION = 1
HEADER = 128  # bytes of the .npy header; numpy leaves room in it for the first axis to grow
CHECKED = 64  # images whose checksum is kept and compared on opening
FILES = {"pixels.npy", "sources.npy", "progress.jsonl", "index.json"}


@dataclass(frozen=True)
class Quarantined:
    """A image file that could not be read, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Pack:
    """A finished pack. pixels: (n, size, size, 3) uint8 memory map; rows: (n,) int64, the catalog row of each image, ascending."""

    pixels: np.memmap[Any, np.dtype[np.uint8]]
    rows: Rows
    quarantine: list[Quarantined]
    size: int
    fit: str
    key: str
    path: Path
    synthetic: bool

    def __len__(self) -> int:
        return len(self.rows)


def make_pack(
    catalog: Catalog,
    size: int,
    *,
    out: Path | None = None,
    fit: Fit = "crop",
    workers: int | None = None,
) -> Pack:
    """Decode every image of the catalog to size × size and open the pack.

    out: the folder; default one in the cache, named after the sources. A finished pack of the same images is opened at once,
    one that holds them among others is copied from, and a run that was killed goes on where it was.
    Raises UserError when `out` holds a pack of other images, of another size, or of images that have changed since;
    when the disk is too small; and when no image at all could be read.
    """
    if size < 1:
        raise UserError(f"a image size of {size} pixels", "", "Give a size of 1 or more", argument="size")
    prints = fingerprints(catalog)
    key = _key(prints, size, fit)
    folder = Path(out) if out is not None else cache_dir("packs", key)
    if (folder / "index.json").exists():
        pack = _of(key, folder)
    else:
        try:
            pack = _write(catalog, prints, folder, size, fit, workers)
        except OSError as error:  # a full disk: writing to an open file does not say where
            error.filename = error.filename or str(folder)
            if folder.is_dir() and not _held(folder, size):
                _clear(folder)
            raise
        if out is not None:
            register(folder, key)
    if pack.quarantine:
        first = pack.quarantine[0]
        log.info(
            f"{len(pack.quarantine)} of {len(catalog)} images could not be read and are left out "
            f"(listed in {folder / 'index.json'}); the first: {first.path}: {first.reason}"
        )
    return pack


def _of(key: str, folder: Path) -> Pack:
    """A finished pack, if it is of what was asked for."""
    pack = open_pack(folder)
    if pack.key != key:
        raise UserError(
            f"a pack of other images or of another size ({pack.size} px), or its images have changed or moved since",
            folder,
            "Remove the folder to pack again, or choose another `out`",
        )
    return pack


def open_pack(path: Path) -> Pack:
    """Open a finished pack. Raises UserError when it is missing, unfinished, of a newer version, cut short or damaged."""
    path = Path(path)
    packing = command_line("repr pack", data="DATA", out=path)
    remedy = f"Remove the folder and pack again: {packing}"
    if not (path / "index.json").exists():
        state = "an unfinished pack" if (path / "progress.jsonl").exists() else "not a pack (no index.json)"
        raise UserError(
            state,
            path,
            f"Pack the same data at the same size, and it goes on: {packing}",
        )
    index = read_json(path / "index.json")
    if not isinstance(index, dict) or index.get("kind") != "pack":
        raise UserError("not a pack's index.json", path / "index.json", remedy)
    if index["version"] > VERSION:
        raise UserError(f"written by a newer version ({index['version']} > {VERSION})", path, "Update the package")
    file, size, rows = path / "pixels.npy", index["size"], _from_spans(index["rows"])
    expected = HEADER + len(rows) * size * size * 3
    actual = file.stat().st_size if file.exists() else 0
    if actual != expected:
        raise UserError(f"{actual:,} bytes where the index says {expected:,}", file, remedy)
    pixels = np.memmap(file, np.uint8, "r", HEADER, (len(rows), size, size, 3))
    for position, checksum in index["checksums"]:
        if zlib.crc32(pixels[position].tobytes()) != checksum:
            raise UserError(f"damaged: image {position} does not match its checksum", file, remedy)
    quarantine = [Quarantined(entry["path"], entry["reason"]) for entry in index["quarantine"]]
    return Pack(pixels, rows, quarantine, size, index["fit"], index["key"], path, index["synthetic"])


def source_key(catalog: Catalog, size: int, fit: Fit = "crop") -> str:
    """A name for exactly these images at this size: changes when a file, its size in bytes, its time or its box changes."""
    return _key(fingerprints(catalog), size, fit)


def _key(prints: Prints, size: int, fit: str) -> str:
    return content_key(VERSION, size, fit, MARGIN, prints.tobytes())


def _write(catalog: Catalog, prints: Prints, folder: Path, size: int, fit: Fit, workers: int | None) -> Pack:
    if folder.exists() and not (folder.is_dir() and all(_ours(file) for file in folder.iterdir())):
        raise UserError("exists and is not a pack", folder, "Choose another `out`")
    folder.mkdir(parents=True, exist_ok=True)
    key, image = _key(prints, size, fit), size * size * 3
    with (folder / "progress.jsonl").open("a+", encoding="utf-8") as journal:
        _lock(journal, folder)
        if (folder / "index.json").exists():  # another process made it while we waited
            return _of(key, folder)
        file = folder / "pixels.npy"
        rows, bad, done = _resume(journal, key, folder, _held(folder, size))
        _need_space(folder, (len(catalog) - done) * image, rows)
        files = catalog.files()
        chunks = _from_known(prints, size, fit, done)
        if chunks is None:
            chunks = decode(files, catalog.boxes(), size, fit=fit, workers=workers, start=done)
        with file.open("r+b" if file.exists() else "w+b") as stream:
            stream.truncate(HEADER + len(rows) * image)  # what was written after the last line of the journal is done again
            stream.seek(0, os.SEEK_END)
            for chunk in _bar(chunks, len(catalog), done):
                stream.write(chunk.pixels.tobytes())
                stream.flush()
                rows.extend(chunk.positions.tolist())
                bad.extend(chunk.bad)
                done += len(chunk.positions) + len(chunk.bad)
                _line(journal, {"done": done, "rows": _spans(chunk.positions.tolist()), "bad": chunk.bad})
            if not rows:
                _clear(folder)
                reason = bad[0][1] if bad else "there are no images"
                raise UserError(f"none of the {len(catalog)} images could be read ({reason})", catalog.name, "Check `data`")
            stream.seek(0)
            npy.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": (len(rows), size, size, 3)})
            assert stream.tell() == HEADER, "numpy's header is longer than the room left for it"
        quarantine = [{"row": row, "path": str(files[row]), "reason": reason} for row, reason in bad]
        _finish(catalog, prints, folder, size, fit, rows, quarantine)
        (folder / "progress.jsonl").unlink()
    return open_pack(folder)


def _finish(catalog: Catalog, prints: Prints, folder: Path, size: int, fit: str, rows: list[int], quarantine: list[dict[str, Any]]) -> None:
    """Write sources.npy and index.json over a complete pixels.npy."""
    pixels = np.memmap(folder / "pixels.npy", np.uint8, "r", HEADER, (len(rows), size, size, 3))
    checked = np.unique(np.linspace(0, len(rows) - 1, min(CHECKED, len(rows))).astype(int)).tolist()
    with replacing(folder / "sources.npy") as temporary, temporary.open("wb") as stream:
        np.save(stream, prints)
    index = {
        "kind": "pack",
        "version": VERSION,
        "size": size,
        "fit": fit,
        "key": _key(prints, size, fit),
        "synthetic": catalog.synthetic,
        "source": catalog.name,
        "rows": _spans(rows),
        "quarantine": quarantine,
        "checksums": [[position, zlib.crc32(pixels[position].tobytes())] for position in checked],
    }
    write_json(folder / "index.json", index)


def _from_known(prints: Prints, size: int, fit: str, done: int) -> Iterator[Chunk] | None:
    """The images of rows done… from a finished pack that holds all of them among others; None when there is none."""
    for folder in finished():
        try:
            index = read_json(folder / "index.json")
            if (index.get("size"), index.get("fit"), index.get("version")) != (size, fit, VERSION):
                continue
            at = places(prints, np.load(folder / "sources.npy"))
            if at is not None:
                reasons = {entry["row"]: entry["reason"] for entry in index["quarantine"]}
                return _copied(open_pack(folder), reasons, at, done)
        except (UserError, OSError, ValueError, KeyError, EOFError):
            continue  # a damaged pack is no help here; whoever opens it will be told
    return None


def _copied(pack: Pack, reasons: dict[int, str], at: Rows, done: int) -> Iterator[Chunk]:
    """Chunks of the images at rows `at[done:]` of the catalog that `pack` was made from; reasons: why some of its rows are missing."""
    for first in range(done, len(at), CHUNK):
        rows = np.arange(first, min(first + CHUNK, len(at)))
        readable = np.array([row not in reasons for row in at[rows].tolist()])
        positions = np.searchsorted(pack.rows, at[rows[readable]])
        bad = [(int(row), reasons[int(at[row])]) for row in rows[~readable]]
        yield Chunk(rows[readable], pack.pixels[positions], bad)


def _ours(file: Path) -> bool:
    return any(name in file.name for name in FILES)  # or a temporary name of one


def _need_space(folder: Path, n_bytes: int, rows: list[int]) -> None:
    try:
        need_space(folder, n_bytes, "the pack")
    except UserError:
        if not rows:
            _clear(folder)
        raise


def _clear(folder: Path) -> None:
    """Take away a pack that came to nothing."""
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
    folder.rmdir()


def _lock(journal: IO[str], folder: Path) -> None:
    """Hold the journal for this process alone; say so when another one is packing the same."""
    try:
        fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        log.info(f"Another process is making {folder}; waiting for it.")
        fcntl.flock(journal, fcntl.LOCK_EX)


def _held(folder: Path, size: int) -> int:
    """How many whole images pixels.npy has."""
    file = folder / "pixels.npy"
    return max(0, file.stat().st_size - HEADER) // (size * size * 3) if file.exists() else 0


def _resume(journal: IO[str], key: str, folder: Path, held: int) -> tuple[list[int], list[tuple[int, str]], int]:
    """What a killed run had finished: rows written, unreadable (row, reason), and rows done. Nothing if it was of other images.

    held: images that pixels.npy has; what the journal says beyond that does not count.
    Leaves the journal with the lines that count, ready for more.
    """
    rows: list[int] = []
    bad: list[tuple[int, str]] = []
    done = 0
    journal.seek(0)
    lines = journal.readlines()
    if not lines or (_entry(lines[0]) or {}).get("key") != key:
        if len(lines) > 1:
            log.info(f"The images or the size have changed since {folder} was begun; starting it again.")
        journal.truncate(0)
        _line(journal, {"version": VERSION, "key": key})
        return rows, bad, done
    length = len(lines[0].encode())
    for line in lines[1:]:
        entry = _entry(line)
        if entry is None or len(rows) + len(written := _from_spans(entry["rows"]).tolist()) > held:
            break
        rows.extend(written)
        bad.extend((row, reason) for row, reason in entry["bad"])
        done, length = entry["done"], length + len(line.encode())
    journal.truncate(length)
    return rows, bad, done


def _entry(line: str) -> dict[str, Any] | None:
    """A line of the journal; None for one that was cut or damaged."""
    try:
        entry = json.loads(line) if line.endswith("\n") else None
    except json.JSONDecodeError:
        return None
    return entry if isinstance(entry, dict) else None


def _line(journal: IO[str], entry: dict[str, Any]) -> None:
    journal.write(json.dumps(entry, ensure_ascii=False) + "\n")
    journal.flush()


def _bar(chunks: Iterable[Chunk], total: int, done: int) -> Iterator[Chunk]:
    """The chunks, with a bar that counts images."""
    with progress.bar(total, "decode", "image", done=done) as bar:
        for chunk in chunks:
            yield chunk
            bar.update(len(chunk.positions) + len(chunk.bad))


def _spans(rows: list[int]) -> list[list[int]]:
    """Ascending row numbers as [first, end) spans, which stay few when little is left out."""
    if not rows:
        return []
    cuts = np.flatnonzero(np.diff(rows) != 1) + 1
    return [[int(part[0]), int(part[-1]) + 1] for part in np.split(np.array(rows), cuts)]


def _from_spans(spans: list[list[int]]) -> Rows:
    return np.concatenate([np.arange(first, end, dtype=np.int64) for first, end in spans] or [np.empty(0, np.int64)])
