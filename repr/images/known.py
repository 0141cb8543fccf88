"""Which images a pack holds, and which finished packs there are: so that nothing is decoded twice."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from repr.arrays import Ints
from repr.catalog.table import Catalog
from repr.files import cache_dir, read_json, write_json

Prints = np.ndarray[Any, np.dtype[np.uint64]]


def fingerprints(catalog: Catalog, *, moved: bool = False) -> Prints:
    """(n,) uint64, one a row: a hash of the file's path, size in bytes and time, and of the box. Changes when any of them does.

    moved: leave out the folder the data lie in and the time, so that a copy of the data has the same.
    """
    prints = np.empty(len(catalog), dtype=np.uint64)
    roots = [str(source.root.absolute()) for source in catalog.sources]
    columns = (catalog.table.column("source").to_pylist(), catalog.table.column("path").to_pylist(), catalog.boxes())
    for row, (source, path, box) in enumerate(zip(*columns, strict=True)):
        file = f"{roots[source]}/{path}"  # text, not Path, which takes ten times as long; there may be millions
        try:
            stat = os.stat(file)  # noqa: PTH116 - likewise
            facts = f"{path}\0{stat.st_size}\0{box}" if moved else f"{file}\0{stat.st_size}\0{stat.st_mtime_ns}\0{box}"
        except OSError:
            facts = f"{file}\0missing\0{box}"
        prints[row] = int.from_bytes(blake2b(facts.encode(errors="surrogateescape"), digest_size=8).digest(), "little")
    return prints


def register(folder: Path, key: str) -> None:
    """Remember a finished pack that does not lie in the cache."""
    write_json(cache_dir("packs", "elsewhere", f"{key}.json"), {"path": str(folder.absolute())})


def finished() -> Iterator[Path]:
    """The folders of all packs known on this machine, newest first: those in the cache and those that were registered."""
    indices = list(cache_dir("packs").glob("*/index.json"))
    for note in cache_dir("packs", "elsewhere").glob("*.json"):
        indices.append(Path(read_json(note)["path"]) / "index.json")
    present = [index for index in indices if index.is_file()]
    yield from (index.parent for index in sorted(present, key=lambda index: index.stat().st_mtime_ns, reverse=True))


def places(wanted: Prints, held: Prints) -> Ints | None:
    """(n,) int64, where each wanted print lies in `held`; None when one is not there."""
    if not len(held):
        return None
    order = np.argsort(held, kind="stable")
    at = np.minimum(np.searchsorted(held, wanted, sorter=order), len(held) - 1)
    found: Ints = order[at]
    return found if bool((held[found] == wanted).all()) else None
