"""Which pictures are the same or nearly the same: a digest of the file, a difference hash and a small colour map of each picture.

Difference hash: the signs of the differences between horizontal neighbours of a small grey picture (Krawetz, 2013), here
16 × 16 signs with a dead zone, so that the noise of a plain background does not count.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from repr.catalog.table import Catalog
from repr.console import progress
from repr.files import cache_dir, content_key, replacing

VERSION = 1
DEAD_ZONE = 3  # grey levels (of 255) below which neighbours count as equal
BITS = 5  # of 256 that near-identical pictures may differ in
COLOUR = 10  # levels (of 255) that a cell of the 4 × 4 colour map may differ by
BUCKET = 64  # members of a bucket that are all compared; in larger ones each is compared with this many neighbours in hash order

MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: spreads three bands over one 64-bit key
POPCOUNT = np.array([n.bit_count() for n in range(1 << 16)], np.uint8)

RECORD = np.dtype([("digest", "u8"), ("bits", "u8", 4), ("colour", "u1", 48), ("readable", "?")])


@dataclass(frozen=True)
class Prints:
    """content: (n,) equal numbers for byte-identical files, -1 for unreadable. bits: (n, 4) uint64. colour: (n, 48) uint8."""

    content: np.ndarray[Any, np.dtype[np.int64]]
    bits: np.ndarray[Any, np.dtype[np.uint64]]
    colour: np.ndarray[Any, np.dtype[np.uint8]]


def fingerprints(catalog: Catalog) -> Prints:
    """The fingerprints of every row's picture, kept in the cache; a bar on stderr while they are made."""
    files = catalog.files()
    stamps = [_stamp(file) for file in files]
    store = cache_dir("fingerprints", f"{content_key(VERSION, [str(f) for f in files], stamps)}.npy")
    if store.exists():
        records = np.load(store)
    else:
        records = np.zeros(len(files), RECORD)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for i, record in enumerate(progress(pool.map(_print, files, chunksize=64), len(files), "Comparing pictures", "picture")):
                records[i] = record
        with replacing(store) as temporary, temporary.open("wb") as out:
            np.save(out, records)
    content = np.unique(records["digest"], return_inverse=True)[1].astype(np.int64)
    content[~records["readable"]] = -1
    return Prints(content, records["bits"], records["colour"])


def _stamp(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError:
        return (-1, -1)
    return status.st_size, status.st_mtime_ns


def _print(file: Path) -> tuple[int, np.ndarray[Any, Any], np.ndarray[Any, Any], bool]:
    try:
        data = file.read_bytes()
        bits, colour = look(file)
    except Exception:  # a broken picture can raise nearly anything; `repr pack` gives the reason
        return 0, np.zeros(4, np.uint64), np.zeros(48, np.uint8), False
    digest = int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")
    return digest, bits, colour, True


def look(file: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The difference hash, (4,) uint64, and the mean colours of 4 × 4 cells, (48,) uint8, of a picture."""
    with Image.open(file) as image:
        image.draft("RGB", (64, 64))
        rgb = image.convert("RGB")
        small = rgb.resize((68, 64), Image.Resampling.BOX)
    grey = np.asarray(small.convert("L").resize((17, 16), Image.Resampling.BOX), np.int16)
    signs = (grey[:, 1:] - grey[:, :-1]) > DEAD_ZONE
    colour = np.asarray(small.resize((4, 4), Image.Resampling.BOX), np.uint8).reshape(48)
    return np.packbits(signs.ravel()).view(np.uint64), colour


def near_pairs(prints: Prints) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Pairs of rows, (m, 2), whose pictures differ in at most BITS of 256 bits and COLOUR levels in every cell.

    Pictures that differ in at most 5 bits agree in at least 3 of 8 bands of 32 bits, so rows that agree in 3 bands are compared.
    Byte-identical files are compared once.
    """
    contents, rows = np.unique(prints.content, return_index=True)
    rows = rows[contents >= 0]
    rows = rows[np.lexsort(prints.bits[rows].T)]
    bits, colour = prints.bits[rows], prints.colour[rows]
    bands = np.ascontiguousarray(bits).view(np.uint32).reshape(len(rows), 8).astype(np.uint64)
    found: list[np.ndarray[Any, np.dtype[np.int64]]] = [np.zeros((0, 2), np.int64)]
    for i, j, k in combinations(range(8), 3):
        key = (bands[:, i] * MIX + bands[:, j]) * MIX + bands[:, k]
        order = np.argsort(key, kind="stable")
        key = key[order]
        at = np.arange(len(rows))
        for step in range(1, BUCKET + 1):
            at = at[at + step < len(rows)]
            at = at[key[at] == key[at + step]]
            if not len(at):
                break
            a, b = order[at], order[at + step]
            near = POPCOUNT[(bits[a] ^ bits[b]).view(np.uint16)].sum(axis=1) <= BITS
            a, b = a[near], b[near]
            same = (np.abs(colour[a].astype(np.int16) - colour[b]) <= COLOUR).all(axis=1)
            found.append(np.stack([a[same], b[same]], axis=1))
    pairs = np.unique(np.sort(np.concatenate(found), axis=1), axis=0)
    return np.asarray(rows[pairs], dtype=np.int64)
