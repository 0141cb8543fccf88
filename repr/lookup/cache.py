"""vectors.f32, ids.i64 and cache.json: what is searched, memory-mapped beside index.db. Can be deleted at any time.

Rows are only ever appended: an addition extends the files by what it added, and what was removed is masked until it is a fifth of all rows,
when the files are written anew. cache.json, replaced whole after the rows are on the disk, says how many rows count, and their
checksums; rows beyond it are those of a process that was stopped, and are written over. Files that do not agree with
it, or with index.db, are made again. A folder that cannot be written to, or is being extended by another process, is no reason to wait: the
rows that are missing are then held in memory.
"""

from __future__ import annotations

import fcntl
import json
import os
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np

from repr.arrays import Bools, Floats, Ints
from repr.files import replacing
from repr.lookup.room import Room, extended
from repr.lookup.store import Store
from repr.vectors import normalised

VERSION = 1
VECTORS, IDS, STATE, LOCK = "vectors.f32", "ids.i64", "cache.json", "cache.lock"
FILES = (VECTORS, IDS, STATE, LOCK)
STALE = 0.2  # share of rows that are removed from which the files are written anew
SMALL = 8192  # rows in memory up to which they are one piece
TAIL = 64  # rows in memory from which a reader writes them to the files


@dataclass(frozen=True)
class State:
    """What cache.json says: of which index, how many rows count, and CRC-32 of their ids and of their vectors.

    written: when the vectors' file was last changed (ns); where it was not since, its checksum is not computed again.
    """

    index: str
    dim: int
    rows: int = 0
    ids: int = 0
    vectors: int = 0
    written: int = 0
    version: int = VERSION

    def of_same(self, other: State) -> bool:
        """Whether both are of one index."""
        return (self.index, self.dim, self.version) == (other.index, other.dim, other.version)


@dataclass(frozen=True, eq=False)
class Matrix:
    """The stored vectors in pieces, to be searched one after the other.

    ids: (n,) int64, ascending. products: (n,) int64, the numbers of their products. pieces: arrays (n_i, d) float32 of length 1 that
    follow each other, the first memory-mapped. alive: (n,) False for rows whose image was removed. revision: of the store that they show.
    room: where ids, products and alive are; a matrix in the same one differs by rows at its end alone.
    """

    ids: Ints
    products: Ints
    pieces: tuple[Floats, ...]
    alive: Bools
    revision: int
    room: Room | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def counts(self) -> Ints:
        """(p,) how many images each product has, by its number."""
        return np.bincount(self.products[self.alive])

    @property
    def n_products(self) -> int:
        """How many products have an image."""
        return int(np.count_nonzero(self.counts))

    @cached_property
    def n_images(self) -> int:
        """How many images were not removed."""
        return int(np.count_nonzero(self.alive))

    def owners(self, rows: Ints) -> Ints:
        """(m,) the numbers of some rows' products; -1 for images that were removed."""
        return np.where(self.alive[rows], self.products[rows], -1)

    def rows(self, positions: Ints) -> Floats:
        """(m, d) the vectors at some positions, copied."""
        starts = np.cumsum([0, *map(len, self.pieces)])
        of = np.searchsorted(starts, positions, side="right") - 1
        vectors = np.empty((len(positions), self.pieces[0].shape[1]), np.float32)
        for number in np.unique(of):
            vectors[of == number] = self.pieces[number][positions[of == number] - starts[number]]
        return vectors


class OtherIndex(Exception):
    """The store is of another index than it was thought to be: its features are of other weights now."""


class Elsewhere:
    """Vectors that are not in memory, in the place of a piece: read by their images' ids when they are asked for.

    ids: (n,). read: ids (m,) → (m, d) float32 of length 1. Of the whole it makes an array, as numpy asks for one.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, ids: Ints, read: Callable[[Ints], Floats], dim: int) -> None:
        self.ids, self.read, self.shape = ids, read, (len(ids), dim)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: Ints | slice) -> Floats:
        return self.read(self.ids[rows])

    def __array__(self, dtype: object = None, copy: bool | None = None) -> Floats:
        return self.read(self.ids)


def load(
    folder: Path, store: Store, *, index: str, dim: int, before: Matrix | None = None, read: Callable[[Ints], Floats] | None = None
) -> Matrix:
    """The vectors as the store has them now.

    index: the index's own name, so that files of another one are never taken for its. before: what this process has already, which is then
    extended by what came since and masked by what went. read: how vectors are read by their ids, where they are not to be in memory, nor
    in files. Raises OtherIndex when the store says that it has another name now.
    """
    with store.reading():
        if store.setting("name") not in (None, index):
            raise OtherIndex
        revision = store.revision
        if before is not None and before.revision == revision:
            return before
        if read is not None:
            matrix = _extended(before or _empty(store), store, revision, dim, features=False)
            return replace(matrix, pieces=(cast(Floats, Elsewhere(matrix.ids, read, dim)),))
        known = State(index, dim)
        mapped = before if before is not None else _mapped(folder, known, store)
        matrix = _extended(mapped, store, revision, dim)
    if len(matrix) - np.count_nonzero(matrix.alive) > STALE * len(matrix):
        return _written(folder, _living(matrix), known, anew=True)
    in_memory = sum(map(len, matrix.pieces[1:])) if before is not None else len(matrix) - len(mapped)
    torn = before is None and not len(mapped)
    enough = in_memory >= (1 if before is None else TAIL)
    return _written(folder, matrix, known, anew=torn) if enough else matrix


def drop(folder: Path) -> None:
    """Delete the files, when nobody is writing them; they are made again when they are needed. The lock stays: others may wait for it."""
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in (STATE, VECTORS, IDS):
            (folder / name).unlink(missing_ok=True)
    finally:
        os.close(lock)


def _empty(store: Store) -> Matrix:
    none = np.empty(0, np.int64)
    return Matrix(none, none, (), np.empty(0, bool), store.revision)


def _extended(matrix: Matrix, store: Store, revision: int, dim: int, *, features: bool = True) -> Matrix:
    """The matrix with what the store has above its last id, and without what was removed since its revision."""
    last = int(matrix.ids[-1]) if len(matrix) else 0
    ids, products = store.owners(above=last)
    new = store.features(above=last, dim=dim) if features else ()
    pieces = [*matrix.pieces[1:], *(normalised(part) for _, part in new)]
    if sum(map(len, pieces)) <= SMALL:  # one after another they would be many
        pieces = [np.concatenate(pieces)] if pieces else []
    gone = _places(matrix, store.removed(since=matrix.revision))
    rows, more = (matrix.ids, matrix.products, matrix.alive), (ids, products, np.ones(len(ids), bool))
    room, (all_ids, all_products, alive) = extended(None if len(gone) else matrix.room, rows, more)
    alive[gone] = False
    made = Matrix(all_ids, all_products, (*matrix.pieces[:1], *pieces), alive, revision, room)
    if len(matrix):  # counted on from before: counting all takes longer than a search
        counts = np.zeros(max(len(matrix.counts), int(products.max(initial=0)) + 1), np.int64)
        counts[: len(matrix.counts)] = matrix.counts
        np.add.at(counts, products, 1)
        np.subtract.at(counts, matrix.products[gone], 1)
        made.__dict__["counts"] = counts
    return made


def _places(matrix: Matrix, removed: list[int]) -> Ints:
    """The living rows among `removed` ids."""
    wanted = np.array(sorted(removed), np.int64)
    places = np.searchsorted(matrix.ids, wanted)
    known = places < len(matrix)
    known[known] = (matrix.ids[places[known]] == wanted[known]) & matrix.alive[places[known]]
    return np.asarray(places[known], dtype=np.int64)


def _mapped(folder: Path, known: State, store: Store) -> Matrix:
    """What the files hold; nothing where they are missing, of another index, or do not agree with cache.json or the store."""
    empty, state = _empty(store), _state(folder)
    if state is None or not state.of_same(known) or not state.rows:
        return empty
    try:
        ids = np.fromfile(folder / IDS, np.int64, state.rows)
        vectors = np.memmap(folder / VECTORS, np.float32, "r", shape=(state.rows, known.dim))
        written = (folder / VECTORS).stat().st_mtime_ns
    except (OSError, ValueError):
        return empty
    if len(ids) != state.rows or zlib.crc32(ids.data) != state.ids:
        return empty
    if written != state.written and zlib.crc32(vectors.data) != state.vectors:
        return empty
    stored, owners = store.owners()
    stored, owners = stored[stored <= ids[-1]], owners[: int((stored <= ids[-1]).sum())]
    alive = np.isin(ids, stored)
    if not np.array_equal(ids[alive], stored):  # of another making of index.db, such as an older backup
        return empty
    products = np.zeros(len(ids), np.int64)
    products[alive] = owners
    return Matrix(ids, products, (vectors,), alive, store.revision)


def _state(folder: Path) -> State | None:
    with suppress(OSError, ValueError, TypeError):
        return State(**json.loads((folder / STATE).read_text(encoding="utf-8")))
    return None


def _living(matrix: Matrix) -> Matrix:
    alive = matrix.alive
    kept = np.concatenate(matrix.pieces)[alive]
    return Matrix(matrix.ids[alive], matrix.products[alive], (kept,), np.ones(len(kept), bool), matrix.revision)


def _written(folder: Path, matrix: Matrix, known: State, *, anew: bool) -> Matrix:
    """The same, its rows in the files where they can be written and nobody else is writing them."""
    try:
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:
        return matrix
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _write(folder, matrix, known, anew=anew):
            return matrix
        mapped = np.memmap(folder / VECTORS, np.float32, "r", shape=(len(matrix), known.dim))
        return replace(matrix, pieces=(mapped,))
    except (OSError, ValueError):  # held by another, no room, or cut short behind our back: the rows stay in memory
        return matrix
    finally:
        os.close(lock)


def _write(folder: Path, matrix: Matrix, known: State, *, anew: bool) -> bool:
    """Bring the files to the rows of `matrix`: what they lack is appended where they hold its first rows, else all is written.

    Returns whether they hold them now; not where another process has brought them further.
    """
    if not len(matrix):
        return False
    state = _state(folder)
    if anew or state is None or not state.of_same(known):
        state = known
    elif state.rows > len(matrix):
        return False
    elif zlib.crc32(np.ascontiguousarray(matrix.ids[: state.rows]).data) != state.ids:
        state = known
    if state.rows == len(matrix):
        return True
    fresh = state.rows == 0
    paths = [folder / (f".{name}.{os.getpid()}.part" if fresh else name) for name in (IDS, VECTORS)]
    try:
        now = _append(paths[0], paths[1], matrix, state)
        if fresh:
            (folder / STATE).unlink(missing_ok=True)  # for a moment the files are of two makings
            for path, name in zip(paths, (IDS, VECTORS), strict=True):
                path.replace(folder / name)
    finally:
        if fresh:
            for path in paths:
                path.unlink(missing_ok=True)
    now = replace(now, written=(folder / VECTORS).stat().st_mtime_ns)
    with replacing(folder / STATE) as temporary:
        temporary.write_text(json.dumps(asdict(now)), encoding="utf-8")
    return True


def _append(of_ids: Path, of_vectors: Path, matrix: Matrix, state: State) -> State:
    """Write the rows of `matrix` from `state.rows` on, and what the files hold then."""
    ids, vectors = np.ascontiguousarray(matrix.ids[state.rows :]), state.vectors
    mode = "r+b" if state.rows else "wb"
    with of_ids.open(mode) as first, of_vectors.open(mode) as second:
        first.seek(8 * state.rows)
        first.write(ids.tobytes())
        second.seek(4 * state.dim * state.rows)
        for piece in _after(matrix.pieces, state.rows):
            second.write(piece.data)
            vectors = zlib.crc32(piece.data, vectors)
        for stream in (first, second):
            stream.truncate()
            stream.flush()
            os.fsync(stream.fileno())
    return replace(state, rows=len(matrix), ids=zlib.crc32(ids.data, state.ids), vectors=vectors)


def _after(pieces: tuple[Floats, ...], start: int) -> list[Floats]:
    """The pieces' rows from `start` on, each contiguous."""
    rest = []
    for piece in pieces:
        if len(piece) > start:
            rest.append(np.ascontiguousarray(piece[max(start, 0) :]))
        start -= len(piece)
    return rest
