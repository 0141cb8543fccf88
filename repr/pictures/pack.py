"""The pack: pictures decoded once into a memory-mapped uint8 array that training reads without decoding again.

A folder. pixels.npy (n, size, size, 3) uint8, in catalog order, unreadable pictures left out; index.json, written last:
version, size, fit, key of the sources, rows, quarantine, checksums. While it is being made there is progress.jsonl
instead, one line a finished chunk, from which a killed run goes on.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from repr import console
from repr.catalog.table import Catalog
from repr.errors import UserError
from repr.files import cache_dir, content_key, need_space, read_json, write_json
from repr.pictures.decode import Chunk, decode
from repr.pictures.reader import MARGIN, Fit

VERSION = 1
HEADER = 128  # bytes of the .npy header; numpy leaves room in it for the first axis to grow
CHECKED = 64  # pictures whose checksum is kept and compared on opening


@dataclass(frozen=True)
class Quarantined:
    """A picture file that could not be read, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Pack:
    """A finished pack. pixels: (n, size, size, 3) uint8 memory map; rows: (n,) int64, the catalog row of each picture, ascending."""

    pixels: np.memmap[Any, np.dtype[np.uint8]]
    rows: np.ndarray[Any, np.dtype[np.int64]]
    quarantine: list[Quarantined]
    size: int
    key: str
    path: Path
    sample: bool

    def __len__(self) -> int:
        return len(self.rows)


def make_pack(
    catalog: Catalog,
    size: int,
    *,
    out: Path | None = None,
    fit: Fit = "crop",
    workers: int | None = None,
    quiet: bool = False,
) -> Pack:
    """Decode every picture of the catalog to size × size and open the pack; a finished one of the same pictures is opened at once.

    out: the folder; default one in the cache, named after the sources. A run that was killed goes on where it was.
    Raises UserError when `out` holds a pack of other pictures, another size, or of pictures that have changed since;
    when the disk is too small; and when no picture at all could be read.
    """
    if size < 1:
        raise UserError(f"a picture size of {size} pixels", "--size", "Give a size of 1 or more")
    key = source_key(catalog, size, fit)
    folder = Path(out) if out is not None else cache_dir("packs", key)
    if (folder / "index.json").exists():
        pack = open_pack(folder)
        if pack.key != key:
            raise UserError(
                f"a pack of other pictures or of another size ({pack.size} px), or its pictures have changed since",
                folder,
                "Remove the folder to pack again, or choose another --out",
            )
    else:
        if folder.exists() and (not folder.is_dir() or any(file.name not in _OURS for file in folder.iterdir())):
            raise UserError("exists and is not a pack", folder, "Choose another --out")
        _write(catalog, folder, size, fit, key, workers, quiet)
        pack = open_pack(folder)
    if pack.quarantine and not quiet:
        first = pack.quarantine[0]
        console.say(
            f"{len(pack.quarantine)} of {len(catalog)} pictures could not be read and are left out "
            f"(listed in {folder / 'index.json'}); the first: {first.path}: {first.reason}"
        )
    return pack


def open_pack(path: Path) -> Pack:
    """Open a finished pack. Raises UserError when it is missing, unfinished, of a newer version, cut short or damaged."""
    path = Path(path)
    remedy = "Remove the folder and pack again with `repr pack`"
    if not (path / "index.json").exists():
        state = "an unfinished pack" if (path / "progress.jsonl").exists() else "not a pack (no index.json)"
        raise UserError(state, path, "Run `repr pack` with the same --data and --out; it goes on where it was")
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
            raise UserError(f"damaged: picture {position} does not match its checksum", file, remedy)
    quarantine = [Quarantined(entry["path"], entry["reason"]) for entry in index["quarantine"]]
    return Pack(pixels, rows, quarantine, size, index["key"], path, index["sample"])


def source_key(catalog: Catalog, size: int, fit: Fit = "crop") -> str:
    """A name for exactly these pictures at this size: changes when a file, its size in bytes, its time or its box changes."""
    stats: list[tuple[int, int]] = []
    for file in catalog.files():
        try:
            stat = os.stat(file)  # noqa: PTH116 - twice as fast as Path.stat, and there may be millions
            stats.append((stat.st_size, stat.st_mtime_ns))
        except OSError:
            stats.append((-1, 0))
    paths = "\n".join(catalog.column("path").astype(str)).encode()
    sources = catalog.column("source").astype(np.int16).tobytes()
    return content_key(VERSION, size, fit, MARGIN, paths, sources, np.array(stats, np.int64).tobytes(), repr(catalog.boxes()).encode())


_OURS = {"pixels.npy", "progress.jsonl"}


def _write(catalog: Catalog, folder: Path, size: int, fit: Fit, key: str, workers: int | None, quiet: bool) -> None:
    n, picture = len(catalog), size * size * 3
    folder.mkdir(parents=True, exist_ok=True)
    journal = folder / "progress.jsonl"
    rows, bad, done = _resume(journal, key)
    data = folder / "pixels.npy"
    need_space(folder, (n - done) * picture, "the pack")
    files, boxes = catalog.files(), catalog.boxes()
    with data.open("r+b" if data.exists() else "w+b") as stream, journal.open("a", encoding="utf-8") as log:
        if not done:
            log.truncate(0)
            _line(log, {"version": VERSION, "key": key})
        stream.truncate(HEADER + len(rows) * picture)
        stream.seek(0, os.SEEK_END)
        chunks: Iterable[Chunk] = decode(files, boxes, size, fit=fit, workers=workers, start=done)
        for chunk in chunks if quiet else _bar(chunks, n, done):
            stream.write(chunk.pixels.tobytes())
            stream.flush()
            rows.extend(chunk.positions.tolist())
            bad.extend(chunk.bad)
            done += len(chunk.positions) + len(chunk.bad)
            _line(log, {"done": done, "rows": _spans(chunk.positions.tolist()), "bad": chunk.bad})
        if not rows:
            reason = bad[0][1] if bad else "there are no pictures"
            raise UserError(f"none of the {n} pictures could be read ({reason})", catalog.name, "Check --data and the pictures")
        stream.seek(0)
        npy.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": (len(rows), size, size, 3)})
        assert stream.tell() == HEADER, "numpy's header is longer than the room left for it"
    pixels = np.memmap(data, np.uint8, "r", HEADER, (len(rows), size, size, 3))
    checked = np.unique(np.linspace(0, len(rows) - 1, min(CHECKED, len(rows))).astype(int)).tolist()
    index = {
        "kind": "pack",
        "version": VERSION,
        "size": size,
        "fit": fit,
        "key": key,
        "sample": catalog.sample,
        "source": catalog.name,
        "rows": _spans(rows),
        "quarantine": [{"path": str(files[row]), "reason": reason} for row, reason in bad],
        "checksums": [[position, zlib.crc32(pixels[position].tobytes())] for position in checked],
    }
    write_json(folder / "index.json", index)
    journal.unlink()


def _resume(journal: Path, key: str) -> tuple[list[int], list[tuple[int, str]], int]:
    """What a killed run had finished: rows written, unreadable (row, reason), and rows done. Nothing if it was of other pictures."""
    rows: list[int] = []
    bad: list[tuple[int, str]] = []
    done = 0
    if not journal.exists():
        return rows, bad, done
    lines = journal.read_text(encoding="utf-8").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    if whole and json.loads(whole[0]).get("key") == key:
        for line in whole[1:]:
            entry = json.loads(line)
            rows.extend(_from_spans(entry["rows"]).tolist())
            bad.extend((row, reason) for row, reason in entry["bad"])
            done = entry["done"]
    journal.write_text("".join(whole) if done else "", encoding="utf-8")
    return rows, bad, done


def _line(log: IO[str], entry: dict[str, Any]) -> None:
    log.write(json.dumps(entry, ensure_ascii=False) + "\n")
    log.flush()


def _bar(chunks: Iterable[Chunk], total: int, done: int) -> Iterable[Chunk]:
    """The chunks, with a bar that counts pictures."""
    from tqdm import tqdm

    with tqdm(total=total, initial=done, desc="decode", unit="picture", leave=False, dynamic_ncols=True) as bar:
        for chunk in chunks:
            yield chunk
            bar.update(len(chunk.positions) + len(chunk.bad))


def _spans(rows: list[int]) -> list[list[int]]:
    """Ascending row numbers as [first, end) spans, which stay few when little is left out."""
    if not rows:
        return []
    cuts = np.flatnonzero(np.diff(rows) != 1) + 1
    return [[int(part[0]), int(part[-1]) + 1] for part in np.split(np.array(rows), cuts)]


def _from_spans(spans: list[list[int]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.concatenate([np.arange(first, end, dtype=np.int64) for first, end in spans] or [np.empty(0, np.int64)])
