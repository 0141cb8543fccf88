"""Inverted lists beside index.db: ivf.faiss (the trained centres), lists.npz (the list of each row, and what was measured).

A cache like the matrix, whose rows they are of: they can be deleted, are extended by an addition, and are trained anew when most rows
have come or gone since.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from repr.arrays import Floats, Ints
from repr.files import replacing
from repr.lookup.cache import Matrix
from repr.search import ivf
from repr.search.exact import load_faiss
from repr.search.ivf import Lists, ListsEngine

CENTRES, LISTS = "ivf.faiss", "lists.npz"
FILES = (CENTRES, LISTS)
GROWN = 2.0  # times the rows that the centres were trained with, from which they are trained anew


@dataclass(frozen=True, eq=False)
class Inverted:
    """A filled search of a matrix's rows. numbers: of lists and probes, and the recall measured. row_lists: (n,) the list of each row."""

    engine: ListsEngine
    numbers: Lists
    row_lists: Ints
    row_ids: Ints
    trained: int

    def search(self, queries: Floats, k: int) -> tuple[Floats, Ints]:
        """Scores and rows (q, k), best first; -1 where there is no more."""
        return self.engine.search(queries, k)


def load(folder: Path, matrix: Matrix, seed: int, *, before: Inverted | None = None, smallest: int = ivf.SMALLEST) -> Inverted | None:
    """The lists of the matrix's rows; None while they are fewer than `smallest`. before: what this process has of earlier rows."""
    if len(matrix) < smallest:
        return None
    if before is not None and _fits(before.row_ids, before.trained, matrix):
        return _grown(before, matrix)
    made = _read(folder, matrix)
    if made is None:
        made = _trained(matrix, seed, smallest)
        _try(folder, made, centres=True)
    elif len(made.row_ids) < len(matrix):
        made = _grown(made, matrix)
        _try(folder, made, centres=False)
    return made


def _fits(ids: Ints, trained: int, matrix: Matrix) -> bool:
    return len(ids) <= len(matrix) <= GROWN * trained and np.array_equal(ids, matrix.ids[: len(ids)])


def _trained(matrix: Matrix, seed: int, smallest: int) -> Inverted:
    vectors = matrix.pieces[0] if len(matrix.pieces) == 1 else np.concatenate(matrix.pieces)
    engine, numbers = ivf.train(vectors, np.random.default_rng(seed), smallest=smallest)
    row_lists = ivf.assign(engine, vectors)
    ivf.fill(engine, vectors, row_lists)
    return Inverted(engine, numbers, row_lists, matrix.ids, len(matrix))


def _grown(made: Inverted, matrix: Matrix) -> Inverted:
    """With the rows that came since."""
    if len(made.row_ids) == len(matrix):
        return made
    vectors = matrix.rows(np.arange(len(made.row_ids), len(matrix)))
    row_lists = ivf.assign(made.engine, vectors)
    ivf.fill(made.engine, vectors, row_lists)
    return Inverted(made.engine, made.numbers, np.concatenate([made.row_lists, row_lists]), matrix.ids, made.trained)


def _read(folder: Path, matrix: Matrix) -> Inverted | None:
    """What the files hold; None where they are missing, broken, or of other rows."""
    try:
        with np.load(folder / LISTS, allow_pickle=False) as file:
            ids, row_lists, trained = file["ids"], file["lists"], int(file["trained"])
            numbers = Lists(int(file["nlist"]), int(file["nprobe"]), float(file["recall"]))
        engine: ListsEngine = load_faiss().read_index(str(folder / CENTRES))
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile):
        return None
    fits = _fits(ids, trained, matrix) and len(ids) == len(row_lists) and engine.nlist == numbers.nlist and not engine.ntotal
    if not fits or (len(row_lists) and not 0 <= row_lists.min() <= row_lists.max() < numbers.nlist):
        return None
    ivf.fill(engine, matrix.rows(np.arange(len(ids))), row_lists.astype(np.int64))
    engine.nprobe = numbers.nprobe
    return Inverted(engine, numbers, row_lists.astype(np.int64), matrix.ids[: len(ids)], trained)


def _try(folder: Path, made: Inverted, *, centres: bool) -> None:
    """Write the files; a folder that cannot be written to is no reason to fail."""
    try:
        if centres:
            (folder / LISTS).unlink(missing_ok=True)
            empty = load_faiss().clone_index(made.engine)
            empty.reset()
            with replacing(folder / CENTRES) as temporary:
                load_faiss().write_index(empty, str(temporary))
        with replacing(folder / LISTS) as temporary, temporary.open("wb") as stream:
            numbers = made.numbers
            measured = {"nlist": numbers.nlist, "nprobe": numbers.nprobe, "recall": numbers.recall_at_10, "trained": made.trained}
            arrays = {name: np.array(value) for name, value in measured.items()}
            np.savez(stream, allow_pickle=False, ids=made.row_ids, lists=made.row_lists.astype(np.int32), **arrays)
    except OSError:
        return
