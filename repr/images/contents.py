"""Which images a set holds, told by what is in their files: so that two sets can be compared whatever folders and files are called.

An image is known by a hash of its file's length and of three pieces of it: the beginning, the middle and the end. It stays the same when
the file is renamed, moved or copied, and when other boxes are cut from it; it changes when the image is saved anew (resized,
recompressed, its EXIF rewritten), so that such copies are not recognised. Two files of one length that differ between
the pieces alone are taken for one.

30 to 65 µs a file on a local disk (31,088 photographs of shops, median 1.7 KB; 5,421 of 10 KB), beside the 300 µs or more of decoding one.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b, file_digest
from pathlib import Path

import numpy as np

from repr import progress
from repr.arrays import Bools, Hashes
from repr.files import content_key
from repr.machine import cores

PIECE = 4096  # bytes; the middle of a JPEG is the image itself, whose first bytes may be a camera's
KEPT = 16_384  # hashes of a sketch: 128 KiB of them
CHUNK = 256  # files a task
MISSING = 0  # what stands for a file that cannot be opened


def image_hashes(files: Sequence[Path]) -> Hashes:
    """(n,) uint64, what identifies the image in each file; MISSING for one that cannot be read. A file named twice is opened once."""
    names = [os.fspath(file) for file in files]
    distinct = list(dict.fromkeys(names))
    chunks = [distinct[start : start + CHUNK] for start in range(0, len(distinct), CHUNK)]
    hashes: list[int] = []
    with progress.bar(len(distinct), "Identifying images", "image") as bar, ThreadPoolExecutor(cores()) as pool:
        try:
            for part in pool.map(_hashes, chunks):
                hashes += part
                bar.update(len(part))
        except BaseException:  # Ctrl-C: not the rest first
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    known = dict(zip(distinct, hashes, strict=True))
    return np.array([known[name] for name in names], dtype=np.uint64)


def _hashes(files: Sequence[str]) -> list[int]:
    return [_hash(file) for file in files]


def _hash(file: str) -> int:
    """The first 64 bits of BLAKE2b over the length and the pieces."""
    try:
        descriptor = os.open(file, os.O_RDONLY)  # not Path.open, whose buffers take as long as all the rest
    except OSError:
        return MISSING
    try:
        length = os.fstat(descriptor).st_size
        digest = blake2b(length.to_bytes(8, "little"), digest_size=8)
        if length <= 3 * PIECE:
            digest.update(os.pread(descriptor, length, 0))
        else:
            for start in (0, (length - PIECE) // 2, length - PIECE):
                digest.update(os.pread(descriptor, PIECE, start))
    except OSError:  # a folder, or a disk that fails
        return MISSING
    finally:
        os.close(descriptor)
    return int.from_bytes(digest.digest(), "little")


@dataclass(frozen=True)
class Overlap:
    """How many of some images are in a set. known: those for which that is known; within: those of them that are in it.

    of: all that were asked about. With `known == of` nothing is estimated.
    """

    within: int
    known: int
    of: int

    @property
    def share(self) -> float:
        """The share of the images asked about that are in the set, 0 to 1: exact, or an unbiased estimate; 0 where nothing is told."""
        return self.within / self.known if self.known else 0.0


@dataclass(frozen=True, eq=False)
class Sketch:
    """A set of images in at most KEPT numbers: the smallest of its images' hashes, as in a bottom-k (or k minimum values) sketch.

    n: distinct images in the set; hashes: (min(n, KEPT),) uint64, ascending. (Cohen and Kaplan, PODC 2007; Beyer et al., SIGMOD 2007.)

    Hashes are as good as random, and which are kept does not depend on what else is asked. So of another set, of which all hashes
    are known, those up to the largest that is kept are a fair sample, and for each of them it is known whether it is in this set:
    in a set of up to KEPT images for all of them, in one of 3 million for one in 183. A thing that is so of a share of the images
    is then seen, or not, in so many: of 5000 test images 27 are told, which see an overlap of 80 % for certain and one of 1 % rarely.
    """

    n: int
    hashes: Hashes

    @classmethod
    def of(cls, hashes: Hashes) -> Sketch:
        """The sketch of a set; images that could not be read are not part of it."""
        distinct = np.unique(hashes[hashes != MISSING])
        return cls(len(distinct), distinct[:KEPT])

    @cached_property
    def key(self) -> str:
        """20 hex digits, the same for the same images under any names."""
        return content_key(self.n, self.hashes.astype("<u8").tobytes())

    @property
    def limit(self) -> int:
        """The largest hash of which it is told whether it is in the set."""
        return int(self.hashes[-1]) if self.n > len(self.hashes) else 2**64 - 1

    def overlap(self, hashes: Hashes) -> Overlap:
        """How many of some images are in this set. hashes: (m,) uint64; each image counts once, unreadable ones not at all."""
        distinct = np.unique(hashes[hashes != MISSING])
        known = distinct[distinct <= np.uint64(self.limit)]
        within: Bools = np.isin(known, self.hashes)
        return Overlap(int(within.sum()), len(known), len(distinct))

    def text(self) -> str:
        """The hashes as Base64, 8 bytes each, little endian: for a file that holds text."""
        return base64.b64encode(self.hashes.astype("<u8").tobytes()).decode()

    @classmethod
    def read(cls, n: int, text: str) -> Sketch:
        """What `text` wrote. Raises ValueError when it is no such text, or not that of a set of `n` images."""
        hashes = np.frombuffer(base64.b64decode(text, validate=True), "<u8").astype(np.uint64)
        if len(hashes) != min(n, KEPT) or (hashes[1:] <= hashes[:-1]).any():
            raise ValueError(f"{len(hashes)} hashes of {n} images")
        return cls(n, hashes)


def file_digests(files: Sequence[Path]) -> list[bytes | None]:
    """SHA-256 (32 bytes) of all of each file, so that no two are taken for one; None for one that cannot be read."""
    with progress.bar(len(files), "Identifying images", "image") as bar, ThreadPoolExecutor(cores()) as pool:
        digests: list[bytes | None] = []
        try:
            for digest in pool.map(_digest, files):
                digests.append(digest)
                bar.update(1)
        except BaseException:  # Ctrl-C: not the rest first
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return digests


def _digest(file: Path) -> bytes | None:
    try:
        with file.open("rb") as stream:
            return file_digest(stream, "sha256").digest()
    except (OSError, ValueError):
        return None
