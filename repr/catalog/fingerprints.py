"""Which images are the same or nearly the same: a digest of the file, a difference hash and a thumbnail of each image.

The difference hash (the signs of the differences between neighbours of a small grey image; Krawetz 2013) only proposes
pairs; the thumbnails decide. Measured on images of `fashion` and `freiburg` shrunk to 75 % and 43 % and saved as JPEG of
quality 75: 99 % of such twins differ in at most 6 bits, 95 % stay within the bounds for thumbnails. Without the thumbnails
the same hash ties 13,000 pairs of `fashion`, most of them merely alike (ties, pencils); with them, 140.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from repr import progress
from repr.arrays import Bools, Floats, Hashes, Ints, Pixels
from repr.catalog.table import Catalog
from repr.files import cache_dir, content_key, replacing, try_to_keep
from repr.images.formats import DECODER
from repr.images.reader import ImageLike, Unreadable, passing, read_image
from repr.machine import cores

VERSION = 3
SIDE = 16
DEAD_ZONE = 8  # grey levels (of 255) of difference that count as one: less is the noise of JPEG
BITS = 6  # of 256 that near-identical images may differ in
RMS = 4.0  # levels, over the thumbnail
SHARE = 0.08  # … and that as a share of the thumbnail's own standard deviation: pale things on white
PEAK = 24  # levels, in any one cell and colour
BUCKET = 32  # each image is compared with so many neighbours, in hash order, of those that agree with it in two bands
CHUNK = 20_000  # images a cache file
MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: spreads two bands over one 64-bit key
POPCOUNT = np.array([n.bit_count() for n in range(1 << 16)], np.uint8)

RECORD = np.dtype([("digest", "u8"), ("bits", "u8", 4), ("thumb", "u1", (SIDE, SIDE, 3)), ("readable", "?"), ("passing", "?")])
Records = npt.NDArray[np.void]


@dataclass(frozen=True)
class Prints:
    """content: (n,) equal numbers for byte-identical files, -1 for unreadable. bits: (n, 4) uint64.

    thumbs: memory-mapped, CHUNK rows each.
    """

    content: Ints
    bits: Hashes
    thumbs: list[Pixels]

    def thumb(self, rows: Ints) -> Floats:
        """The thumbnails of some rows, (m, 16, 16, 3)."""
        out = np.empty((len(rows), SIDE, SIDE, 3), np.float32)
        for i, chunk in enumerate(self.thumbs):
            inside = rows // CHUNK == i
            out[inside] = chunk[rows[inside] - i * CHUNK]
        return out


def fingerprints(catalog: Catalog) -> Prints:
    """The fingerprints of every row's image. A bar on stderr while they are made; every CHUNK made is kept in the cache."""
    files = catalog.files()
    stores = [_stored(files[start : start + CHUNK], start, len(files)) for start in range(0, len(files), CHUNK)]
    digest = np.concatenate([store["digest"] for store in stores])
    content = np.unique(digest, return_inverse=True)[1].astype(np.int64)
    content[~np.concatenate([store["readable"] for store in stores])] = -1
    return Prints(content, np.concatenate([store["bits"] for store in stores]), [store["thumb"] for store in stores])


def _stored(files: list[Path], start: int, total: int) -> Records:
    store = cache_dir("fingerprints", f"{content_key(VERSION, DECODER, [(str(file), *_stamp(file)) for file in files])}.npy")
    if store.exists():
        return _tried_again(store, files)
    records = _made(files, start, total)
    try_to_keep(store, lambda place: _write(place, records))
    return np.load(store, mmap_mode="r") if store.exists() else records


def _tried_again(store: Path, files: list[Path]) -> Records:
    """What is kept of some files, with those that could not be opened for a passing reason tried again."""
    records: Records = np.load(store, mmap_mode="r")
    failed = np.flatnonzero(records["passing"])
    if len(failed):
        records = np.array(records)
        for row in failed.tolist():
            records[row] = _print(files[row])
        if not records["passing"][failed].all():
            try_to_keep(store, lambda place: _write(place, records))
    return records


def _write(store: Path, records: Records) -> None:
    with replacing(store) as temporary, temporary.open("wb") as out:
        np.save(out, records)


def _made(files: list[Path], start: int, total: int) -> Records:
    records = np.zeros(len(files), RECORD)
    what = f"Comparing images {start + 1}–{start + len(files)} of {total}" if total > CHUNK else "Comparing images"
    with ThreadPoolExecutor(cores()) as pool:
        try:
            for i, record in enumerate(progress.counted(pool.map(_print, files), len(files), what, "image")):
                records[i] = record
        except BaseException:  # Ctrl-C: not the rest first
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return records


def _stamp(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError:
        return (-1, -1)
    return status.st_size, status.st_mtime_ns


def _print(file: Path) -> tuple[int, Hashes, Pixels, bool, bool]:
    """A record of RECORD."""
    try:
        data = file.read_bytes()
        bits, thumb = look(data)
    except (Unreadable, OSError) as error:  # `repr pack` gives the reason
        reason = error.reason if isinstance(error, Unreadable) else (error.strerror or "").lower()
        return 0, np.zeros(4, np.uint64), np.zeros((SIDE, SIDE, 3), np.uint8), False, passing(reason)
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little"), bits, thumb, True, False


def look(image: ImageLike) -> tuple[Hashes, Pixels]:
    """The difference hash, (4,) uint64, and the thumbnail, (16, 16, 3) uint8, of an image as everything else here sees it: upright.

    Raises Unreadable with the reason.
    """
    rgb = read_image(image, short_side=8 * SIDE)
    # Lanczos, since a box filter at fractional steps moves the signs: 14 bits between twins, not 2.
    grey = np.asarray(rgb.convert("L").resize((SIDE + 1, SIDE), Image.Resampling.LANCZOS), np.int16)
    signs = grey[:, 1:] - grey[:, :-1] > DEAD_ZONE
    return np.packbits(signs.ravel()).view(np.uint64), np.asarray(rgb.resize((SIDE, SIDE), Image.Resampling.LANCZOS), np.uint8)


def near_pairs(prints: Prints) -> Ints:
    """Pairs of rows, (m, 2), whose hashes differ in at most BITS of 256 bits and whose thumbnails agree within the bounds above.

    Images that differ in at most 6 bits agree in at least 2 of 8 bands of 32 bits, so rows that agree in two bands are
    compared (in a crowd, each with BUCKET neighbours in hash order). Byte-identical files are compared once.
    """
    contents, rows = np.unique(prints.content, return_index=True)
    rows = rows[contents >= 0]
    rows = rows[np.lexsort(prints.bits[rows].T)]
    pairs = rows[_alike(prints.bits[rows])]
    agree = [np.zeros(0, bool)]
    for start in range(0, len(pairs), CHUNK):
        a, b = (prints.thumb(pairs[start : start + CHUNK, side]) for side in (0, 1))
        agree.append(_agree(a, b))
    return np.asarray(np.sort(pairs[np.concatenate(agree)], axis=1), dtype=np.int64)


def _alike(bits: Hashes) -> Ints:
    """Pairs of positions in sorted `bits`, (n, 4), with at most BITS differing bits: (m, 2), each once."""
    bands = np.ascontiguousarray(bits).view(np.uint32).reshape(len(bits), 8).astype(np.uint64)
    pairs = [np.zeros(0, np.int64)]
    for i, j in combinations(range(8), 2):
        key = bands[:, i] * MIX + bands[:, j]
        order = np.argsort(key, kind="stable")
        key, at = key[order], np.arange(len(bits))
        for step in range(1, BUCKET + 1):
            at = at[at + step < len(bits)]
            at = at[key[at] == key[at + step]]
            if not len(at):
                break
            a, b = order[at], order[at + step]
            near = POPCOUNT[(bits[a] ^ bits[b]).view(np.uint16)].sum(axis=1) <= BITS
            pairs.append(np.minimum(a, b)[near] * len(bits) + np.maximum(a, b)[near])
    unique = np.unique(np.concatenate(pairs))
    return np.stack([unique // max(len(bits), 1), unique % max(len(bits), 1)], axis=1)


def _agree(a: Floats, b: Floats) -> Bools:
    """Whether thumbnails, (m, 16, 16, 3) each, are of nearly identical images: (m,)."""
    apart = np.abs(a - b)
    rms = np.sqrt((apart**2).mean(axis=(1, 2, 3)))
    return (apart.max(axis=(1, 2, 3)) <= PEAK) & (rms <= RMS) & (rms <= SHARE * a.std(axis=(1, 2, 3)))  # type: ignore[no-any-return]
