"""The pack: images decoded once into a memory-mapped uint8 array that training reads without decoding again.

A folder. pixels.npy (n, size, size, 3) uint8, in catalog order, unreadable images left out; sources.npy, the fingerprint
of every row of the catalog; index.json, written last: version, size, fit, key, rows, quarantine, checksums. While it is
being made there is progress.jsonl instead, one line a finished chunk, from which a killed run goes on.
"""

from __future__ import annotations

import logging
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.lib import format as npy

from repr import progress
from repr.arrays import Hashes, Pixels, Rows
from repr.commands import command_line
from repr.errors import UserError
from repr.files import cache_dir, content_key, need_space, read_json, replacing, write_json
from repr.images import journal
from repr.images.decode import CHUNK, decode
from repr.images.decoded import Chunk, Quarantined
from repr.images.formats import DECODER
from repr.images.journal import from_spans, spans
from repr.images.known import ImageFiles, fingerprints, finished, places, register
from repr.images.reader import MARGIN, Fit, Unreadable, passing, read_image

log = logging.getLogger(__name__)

VERSION = 1
HEADER = 128  # bytes of the .npy header; numpy leaves room in it for the first axis to grow
CHECKED = 64  # images whose checksum is kept and compared on opening
FILES = {"pixels.npy", "sources.npy", journal.NAME, "index.json"}


class Missing(TypedDict):
    """An entry of index.json for an unreadable image: its row, its file, and why."""

    row: int
    path: str
    reason: str


class Index(TypedDict):
    """index.json. rows: spans of the rows that pixels.npy has; checksums: (position, CRC-32) of some of its images."""

    kind: str
    version: int
    size: int
    fit: str
    decoder: str
    key: str
    synthetic: bool
    source: str
    rows: list[list[int]]
    quarantine: list[Missing]
    checksums: list[tuple[int, int]]


@dataclass(frozen=True)
class Pack:
    """A finished pack.

    pixels: (n, size, size, 3) uint8, memory-mapped; rows: (n,) int64, ascending, the row of each among the images that were given.
    """

    pixels: Pixels
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
    images: ImageFiles,
    size: int,
    *,
    out: Path | None = None,
    fit: Fit = "crop",
    workers: int | None = None,
) -> Pack:
    """Decode every one of the images, such as a catalog's, to size × size and open the pack.

    out: the folder; default one in the cache, named after the sources. A finished pack of the same images is opened at once,
    one that holds them among others is copied from, and a run that was killed goes on where it was.
    Raises UserError when `out` holds a pack of other images, of another size, or of images that have changed since;
    when the disk is too small; and when no image at all could be read.
    """
    if size < 1:
        raise UserError(f"an image size of {size} pixels", "", "Give a size of 1 or more", argument="size")
    prints = fingerprints(images)
    key = _key(prints, size, fit)
    folder = Path(out) if out is not None else cache_dir("packs", key)
    pack = _of(key, folder) if (folder / "index.json").exists() else None
    if pack and any(passing(image.reason) and _reads(image.path) for image in pack.quarantine):
        log.info(f"Packing again: images that could not be read now can be ({folder})")
        pack = None
        _empty(folder)
    if pack is None:
        try:
            pack = _write(images, prints, folder, size, fit, workers)
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
            f"{len(pack.quarantine)} of {len(images)} images could not be read and are left out "
            f"(listed in {folder / 'index.json'}); the first: {first.path}: {first.reason}"
        )
    return pack


def _reads(file: str) -> bool:
    try:
        read_image(file)
    except Unreadable:
        return False
    return True


def _of(key: str, folder: Path) -> Pack:
    """A finished pack, if it is of what was asked for."""
    pack = open_pack(folder)
    if pack.key != key:
        raise UserError(
            f"a pack of other images or of another size ({pack.size} px), or its images have changed or moved since, or what decodes them",
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
        state = "an unfinished pack" if (path / journal.NAME).exists() else "not a pack (no index.json)"
        raise UserError(state, path, f"Pack the same data at the same size, and it goes on: {packing}")
    index = read_json(path / "index.json")
    if not isinstance(index, dict) or index.get("kind") != "pack":
        raise UserError("not a pack's index.json", path / "index.json", remedy)
    if index["version"] > VERSION:
        raise UserError(f"written by a newer version ({index['version']} > {VERSION})", path, "Update the package")
    file, size, rows = path / "pixels.npy", index["size"], from_spans(index["rows"])
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


def source_key(images: ImageFiles, size: int) -> str:
    """A name for exactly these images at this size: changes when a file, its size in bytes, its time or its box changes."""
    return _key(fingerprints(images), size, "crop")


def _key(prints: Hashes, size: int, fit: str) -> str:
    return content_key(VERSION, size, fit, MARGIN, DECODER, prints.tobytes())


def _write(images: ImageFiles, prints: Hashes, folder: Path, size: int, fit: Fit, workers: int | None) -> Pack:
    if folder.exists() and not (folder.is_dir() and all(_ours(file) for file in folder.iterdir())):
        raise UserError("exists and is not a pack", folder, "Choose another `out`")
    folder.mkdir(parents=True, exist_ok=True)
    key = _key(prints, size, fit)
    with journal.held(folder) as lines:
        if (folder / "index.json").exists():  # another process made it while we waited
            return _of(key, folder)
        progress = journal.resume(lines, VERSION, key, folder, _held(folder, size))
        _need_space(folder, (len(images) - progress.done) * size * size * 3, progress.rows)
        files = images.files()
        chunks = _from_known(prints, size, fit, progress.done)
        if chunks is None:
            chunks = decode(files, images.boxes(), size, fit=fit, workers=workers, start=progress.done)
        _fill(folder / "pixels.npy", _bar(chunks, len(images), progress.done), progress, size)
        if not progress.rows:
            _clear(folder)
            reason = progress.bad[0][1] if progress.bad else "there are no images"
            raise UserError(f"none of the {len(images)} images could be read ({reason})", images.name, "Check `data`")
        quarantine: list[Missing] = [{"row": row, "path": str(files[row]), "reason": reason} for row, reason in progress.bad]
        _finish(images, prints, folder, size, fit, progress.rows, quarantine)
        (folder / journal.NAME).unlink()
    return open_pack(folder)


def _fill(file: Path, chunks: Iterable[Chunk], progress: journal.Journal, size: int) -> None:
    """Write the pixels of the chunks behind those that are there, each noted in the journal, and the header when all are."""
    with file.open("r+b" if file.exists() else "w+b") as stream:
        stream.truncate(HEADER + len(progress.rows) * size * size * 3)  # what was written after the journal's last line is done again
        stream.seek(0, os.SEEK_END)
        for chunk in chunks:
            stream.write(chunk.pixels.tobytes())
            stream.flush()
            progress.note(chunk)
        stream.seek(0)
        npy.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": (len(progress.rows), size, size, 3)})
        assert stream.tell() == HEADER, "numpy's header is longer than the room left for it"


def _finish(images: ImageFiles, prints: Hashes, folder: Path, size: int, fit: str, rows: list[int], quarantine: list[Missing]) -> None:
    """Write sources.npy and index.json over a complete pixels.npy."""
    pixels = np.memmap(folder / "pixels.npy", np.uint8, "r", HEADER, (len(rows), size, size, 3))
    checked = np.unique(np.linspace(0, len(rows) - 1, min(CHECKED, len(rows))).astype(int)).tolist()
    with replacing(folder / "sources.npy") as temporary, temporary.open("wb") as stream:
        np.save(stream, prints)
    index: Index = {
        "kind": "pack",
        "version": VERSION,
        "size": size,
        "fit": fit,
        "decoder": DECODER,
        "key": _key(prints, size, fit),
        "synthetic": images.synthetic,
        "source": images.name,
        "rows": spans(rows),
        "quarantine": quarantine,
        "checksums": [(position, zlib.crc32(pixels[position].tobytes())) for position in checked],
    }
    write_json(folder / "index.json", index)


def _from_known(prints: Hashes, size: int, fit: str, done: int) -> Iterator[Chunk] | None:
    """The images of rows done… from a finished pack that holds all of them among others; None when there is none."""
    for folder in finished():
        try:
            index = read_json(folder / "index.json")
            if (index.get("size"), index.get("fit"), index.get("decoder"), index.get("version")) != (size, fit, DECODER, VERSION):
                continue
            if any(passing(entry["reason"]) for entry in index["quarantine"]):
                continue
            at = places(prints, np.load(folder / "sources.npy"))
            if at is not None:
                reasons = {entry["row"]: entry["reason"] for entry in index["quarantine"]}
                return _copied(open_pack(folder), reasons, at, done)
        except (UserError, OSError, ValueError, KeyError, EOFError):
            continue  # a damaged pack is no help here; whoever opens it will be told
    return None


def _copied(pack: Pack, reasons: dict[int, str], at: Rows, done: int) -> Iterator[Chunk]:
    """Chunks of the images at rows `at[done:]` of what `pack` was made from; reasons: why some of its rows are missing."""
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
    _empty(folder)
    folder.rmdir()


def _empty(folder: Path) -> None:
    for name in FILES:
        (folder / name).unlink(missing_ok=True)


def _held(folder: Path, size: int) -> int:
    """How many whole images pixels.npy has."""
    file = folder / "pixels.npy"
    return max(0, file.stat().st_size - HEADER) // (size * size * 3) if file.exists() else 0


def _bar(chunks: Iterable[Chunk], total: int, done: int) -> Iterator[Chunk]:
    """The chunks, with a bar that counts images."""
    with progress.bar(total, "decode", "image", done=done) as bar:
        for chunk in chunks:
            yield chunk
            bar.update(len(chunk.positions) + len(chunk.bad))
