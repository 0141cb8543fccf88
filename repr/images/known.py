"""Which images a pack holds, and which finished packs there are: so that nothing is decoded twice."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

import numpy as np

from repr.arrays import Hashes, Ints
from repr.files import cache_dir, read_json, try_to_keep, write_json
from repr.images.boxes import Box, DrawnBox


class ImageFiles(Protocol):
    """Image files in order, or boxes cut out of them, a row each: what can be packed and embedded. A catalog is one."""

    @property
    def name(self) -> str:
        """A short name for messages."""

    @property
    def synthetic(self) -> bool:
        """Whether any of them is of the synthetic shop."""

    def __len__(self) -> int: ...

    def files(self) -> list[Path]:
        """The file of every row."""

    def boxes(self) -> list[Box | None]:
        """The box of every row, x, y, w, h in pixels, or None for the whole image."""

    @property
    def roots(self) -> list[str]:
        """The absolute folders that paths start from."""

    def located(self) -> Iterable[tuple[str, str]]:
        """Of every row, the one of `roots` that its path starts from, and that path, with /."""


def fingerprints(images: ImageFiles, *, moved: bool = False) -> Hashes:
    """(n,) uint64, one a row: a hash of the file's path, size in bytes and time, and of the box. Changes when any of them does.

    moved: leave out the folder the data lie in and the time, so that a copy of the data has the same.
    """
    prints = np.empty(len(images), dtype=np.uint64)
    for row, ((root, path), box) in enumerate(zip(images.located(), images.boxes(), strict=True)):
        file = f"{root}/{path}"  # text, not Path, which takes ten times as long; there may be millions
        if isinstance(box, DrawnBox):
            place: object = (*box, *box.size)
        else:
            place = box
        try:
            stat = os.stat(file)  # noqa: PTH116 - likewise
            facts = f"{path}\0{stat.st_size}\0{place}" if moved else f"{file}\0{stat.st_size}\0{stat.st_mtime_ns}\0{place}"
        except OSError:
            facts = f"{file}\0missing\0{place}"
        prints[row] = int.from_bytes(blake2b(facts.encode(errors="surrogateescape"), digest_size=8).digest(), "little")
    return prints


def register(folder: Path, key: str) -> None:
    """Remember a finished pack that does not lie in the cache; where the cache cannot be written, the pack is good without."""
    note = {"path": str(folder.absolute())}
    try_to_keep(cache_dir("packs", "elsewhere", f"{key}.json"), lambda place: write_json(place, note))


def finished() -> Iterator[Path]:
    """The folders of all packs known on this machine, newest first: those in the cache and those that were registered."""
    indices = list(cache_dir("packs").glob("*/index.json"))
    for note in cache_dir("packs", "elsewhere").glob("*.json"):
        indices.append(Path(read_json(note)["path"]) / "index.json")
    present = [index for index in indices if index.is_file()]
    yield from (index.parent for index in sorted(present, key=lambda index: index.stat().st_mtime_ns, reverse=True))


def places(wanted: Hashes, held: Hashes) -> Ints | None:
    """(n,) int64, where each wanted print lies in `held`; None when one is not there."""
    if not len(held):
        return None
    order = np.argsort(held, kind="stable")
    at = np.minimum(np.searchsorted(held, wanted, sorter=order), len(held) - 1)
    rows: Ints = order[at]
    return rows if bool((held[rows] == wanted).all()) else None
