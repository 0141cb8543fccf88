"""One image is one image: rows whose files hold the same bytes count once, and what they contradict each other in is said.

Files are told apart by their lengths first; only those of one length are read, their beginnings first. Beside decoding that is nothing.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

from repr.arrays import Ints
from repr.catalog.passed import Tally, summed
from repr.catalog.table import Catalog

log = logging.getLogger(__name__)

BEGINNING = 1 << 16  # bytes
REPEATED = "images whose file is there already under another name, for the same product"
IN_CLASS = "images whose file is there already under another name, in the same class"


def once(catalog: Catalog, *, by_split: bool = True, level: int | None = None) -> Catalog:
    """The catalog without rows of the same file content, product and box as an earlier row; those are counted, and told.

    by_split: only within train, val and test each, so that a test image that is in training too still is one. level: of the same class
    of that level instead of the same product, for what is judged by class (in MEP-3M every image is a product of its own). Notes, which
    are told too, say how many images stand under several products or classes, and how many of the test in train as well.
    """
    what, several = (REPEATED, "products") if level is None else (IN_CLASS, "classes")
    content = equal_files(catalog.files())
    boxes = catalog.boxes()
    keys, splits = catalog.product_keys() if level is None else _classes(catalog, level), catalog.column("split")
    seen: set[tuple[object, ...]] = set()
    products: dict[tuple[object, ...], set[str]] = {}
    again: list[int] = []
    paths = catalog.table["path"]
    for row in np.flatnonzero(content >= 0).tolist():
        image = int(content[row]), boxes[row]
        if str(keys[row]):  # of no class: it contradicts none
            products.setdefault(image, set()).add(str(keys[row]))
        key = (*image, keys[row], splits[row] if by_split else "")
        if key in seen:
            again.append(row)
        seen.add(key)
    tally = Tally()
    for row in again:
        tally.add(what, paths[row].as_py())
    for one in tally.list():
        log.warning(f"P{one.line()[1:]}.", extra={"passed_over": one.as_json()})
    learned = {(content[row], boxes[row]) for row in np.flatnonzero((content >= 0) & (splits == "train")).tolist()} if by_split else set()
    both = [row for row in np.flatnonzero((content >= 0) & (splits == "test")).tolist() if (content[row], boxes[row]) in learned]
    notes = [*_torn(products.values(), several), *([_seen(len(both), paths[both[0]].as_py())] if both else [])]
    for note in notes:
        log.warning(f"{note[0].upper()}{note[1:]}.")
    single = catalog.select(np.setdiff1d(np.arange(len(catalog)), again)) if again else catalog
    return replace(single, notes=(*catalog.notes, *notes), passed_over=summed([catalog.passed_over, tally.list()]))


def _seen(n: int, path: str) -> str:
    return f"{n:,} test images are in train too, byte for byte, such as {path}: figures on them say little"


def _classes(catalog: Catalog, level: int) -> npt.NDArray[np.object_]:
    """(n,) the name of each row's class on a level, "" for none."""
    labels, names = catalog.labels(level)
    return np.array([*names, ""], dtype=object)[labels]


def _torn(groups: Iterable[set[str]], several: str) -> list[str]:
    torn = [sorted(names) for names in groups if len(names) > 1]
    return [f"{len(torn):,} images stand under several {several} each, such as one under {' and '.join(torn[0][:3])}"] if torn else []


def equal_files(files: Sequence[Path]) -> Ints:
    """(n,) equal numbers for files of the same bytes; -1 for those that cannot be read. A file named twice is one."""
    names = [os.fspath(file) for file in files]
    known: dict[str, object] = {name: _length(name) for name in dict.fromkeys(names)}
    for most in (BEGINNING, -1):
        together: dict[object, list[str]] = {}
        for name, what in known.items():
            together.setdefault(what, []).append(name)
        for what, alike in together.items():
            if len(alike) > 1 and what is not None:
                known |= {name: _content(name, what, most) for name in alike}
    numbers: dict[object, int] = {None: -1}
    return np.array([numbers.setdefault(known[name], len(numbers) - 1) for name in names], np.int64)


def _length(name: str) -> object:
    """What a file that is not looked into is known by: its length; None when it is not there."""
    try:
        return os.stat(name).st_size  # noqa: PTH116 - a Path takes ten times as long, and there may be millions
    except OSError:
        return None


def _content(name: str, before: object, most: int) -> object:
    """What a file is known by with what it holds: its first `most` bytes, or -1 for all."""
    try:
        with Path(name).open("rb") as stream:
            return before, blake2b(stream.read(most), digest_size=16).digest()
    except OSError:
        return None
