"""search.faiss and search.json: how many vectors are searched faster than one by one, beside the matrix.

A cache like it, that can be deleted at any time. What was added since it was made is searched exactly beside it; when that is a twentieth,
it is folded in, and the recall measured again. Readers take what is there, and search exactly where nothing is: only those that change
an index make it (`tune`). Images are known in it by their ids. What is opened is never changed: a file that is written anew gets another
inode, and is noticed by the state beside it.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from repr.arrays import Floats, Ints
from repr.commands import command_line
from repr.errors import UserError
from repr.files import replacing
from repr.lookup.cache import LOCK, Matrix
from repr.lookup.matches import END, GONE, Search
from repr.search.calibrated import Probe, Tried, calibrate, filled, is_fast_exact, rescored
from repr.search.cells import Cells, assign
from repr.search.exact import top_k_of

log = logging.getLogger(__name__)

VERSION = 1
CELLS, STATE = "search.faiss", "search.json"
FILES = (CELLS, STATE)
GROWN = 2.0  # times the images with which the search was chosen, from which it is chosen anew
FOLDED = 0.05  # of the images in the lists: so many that are not are folded in
GONE_SHARE = 0.2  # of the images in the lists that were removed since, from which it is chosen anew
QUERIES = 300  # that measure the recall after a fold
SEED = 0  # one index, one choice
CHUNK = 2**24  # bytes of a file read at a time


@dataclass(frozen=True)
class State:
    """What search.json says: of which index and up to which image and revision, what was chosen for which recall, and all that was tried.

    trained: images it was chosen with. size, crc, written: of search.faiss; where the time (ns) is the same, its bytes are not read.
    """

    index: str
    last: int
    revision: int
    recall: float
    trained: int
    chosen: Tried
    tried: tuple[Tried, ...]
    size: int = 0
    crc: int = 0
    written: int = 0
    version: int = VERSION


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A chosen search. cells: None where it is the exact one. stamp: of the state's file, by which another is noticed."""

    state: State
    cells: Cells | None
    stamp: int

    def covered(self, matrix: Matrix) -> int:
        """How many of the matrix's rows, from the first on, it was made with."""
        return int(np.searchsorted(matrix.ids, self.state.last, side="right"))

    def search(self, matrix: Matrix, queries: Floats, k: int) -> tuple[Floats, Ints]:
        """Cosines and rows of the matrix (q, k), best first; `matches.END` where there is no more, GONE for what is swept."""
        if self.cells is None:
            return top_k_of(queries, matrix.pieces, k)
        scores, ids = rescored(self.cells, lambda wanted: matrix.rows(_near(matrix, wanted)), queries, k)
        rows = _near(matrix, ids)
        rows[matrix.ids[rows] != ids] = GONE
        rows[ids < 0] = END
        covered = self.covered(matrix)
        if covered == len(matrix):
            return scores, rows
        new_scores, new_rows = top_k_of(queries, _from(matrix, covered), k)
        scores, rows = np.concatenate([scores, new_scores], axis=1), np.concatenate([rows, new_rows + covered], axis=1)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(scores, best, 1), np.take_along_axis(rows, best, 1)

    def outgrown(self, matrix: Matrix) -> bool:
        """Whether it was chosen for so different images that it has to be chosen anew."""
        kept = int(matrix.alive[: self.covered(matrix)].sum())
        gone = self.cells is not None and kept < (1 - GONE_SHARE) * len(self.cells)
        return gone or len(matrix) > GROWN * self.state.trained


class Searched(Protocol):
    """A search that was chosen: `Calibrated`, `repr.lookup.remote.Remote`."""

    def search(self, matrix: Matrix, queries: Floats, k: int) -> tuple[Floats, Ints]:
        """Cosines and rows of the matrix (q, k), best first."""


def searching(matrix: Matrix, chosen: Searched | None) -> Search | None:
    """The search that was chosen, of the rows of the matrix; None for the exact one."""
    exact = chosen is None or (isinstance(chosen, Calibrated) and chosen.cells is None)
    return None if chosen is None or exact else partial(chosen.search, matrix)


def load(folder: Path, matrix: Matrix, index: str, *, before: Calibrated | None = None) -> Calibrated | None:
    """The search that was chosen; None where there is none, or its files are torn, of another index or of another time."""
    try:
        stamp = (folder / STATE).stat().st_mtime_ns
    except OSError:
        return None
    if before is not None and before.stamp == stamp:
        return before
    state = _state(folder)
    if state is None or (state.index, state.version) != (index, VERSION) or state.revision > matrix.revision:
        return None
    if state.chosen.kind == "exact":
        return Calibrated(state, None, stamp)
    with suppress(OSError, UserError):
        file = folder / CELLS
        now = file.stat()
        if now.st_size == state.size and (now.st_mtime_ns == state.written or _crc(file) == state.crc):
            return Calibrated(state, Cells.read(file, state.chosen.kind, state.chosen.probes), stamp)
    with suppress(OSError), _alone(folder):  # not looked at again at every search
        (folder / STATE).unlink(missing_ok=True)
    return None


def tune(folder: Path, matrix: Matrix, index: str, recall: float, *, anew: bool) -> None:
    """Bring the search to the matrix: choose it where none is, or it is outgrown; fold in what came since.

    recall: of the ten nearest that is to be reached; 1 for the exact search. anew: whether it may be chosen anew, which takes minutes for
    millions of images; else it is only said that it should be. Where another process does so, or the folder is read-only, nothing is done.
    """
    if recall >= 1 or is_fast_exact(len(matrix), matrix.pieces[0].shape[1] if matrix.pieces else 0):
        for name in FILES:
            with suppress(OSError):
                (folder / name).unlink(missing_ok=True)
        return
    with suppress(OSError), _alone(folder):
        _tune(folder, matrix, index, recall, anew)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While no other process writes caches. Raises OSError where one does, or the folder is read-only."""
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(lock)


def _tune(folder: Path, matrix: Matrix, index: str, recall: float, anew: bool) -> None:
    search = load(folder, matrix, index)
    if search is not None and search.state.recall == recall and not search.outgrown(matrix):
        covered = search.covered(matrix)
        if search.cells is None or len(matrix) - covered <= FOLDED * covered or _folded(folder, matrix, search):
            return
    if anew:
        _choose(folder, matrix, index, recall)
    else:
        anew_by = command_line("repr index compact", folder)
        log.info(f"The search was chosen for other images, or misses more than it may. To choose anew: {anew_by}")


def _choose(folder: Path, matrix: Matrix, index: str, recall: float) -> None:
    vectors = matrix.pieces[0] if len(matrix.pieces) == 1 else np.concatenate(matrix.pieces)
    log.info(f"Choosing how {len(matrix):,} vectors are searched, for recall@10 of {recall:.1%} …")
    chosen, cells, tried = calibrate(vectors, matrix.ids, recall=recall, generator=np.random.default_rng(SEED))
    for one in tried:
        log.info(f"  {one.words()}{'  <- taken' if one is chosen else ''}")
    state = State(index, int(matrix.ids[-1]), matrix.revision, recall, len(matrix), chosen, tried)
    _write(folder, state, cells)


def _folded(folder: Path, matrix: Matrix, search: Calibrated) -> bool:
    """Put what came since into the lists, with more probes where it takes them; whether the recall is still reached."""
    chosen, covered = search.state.chosen, search.covered(matrix)
    assert chosen.kind != "exact"
    cells = Cells.read(folder / CELLS, chosen.kind, chosen.probes, mapped=False)
    rows = np.arange(covered, len(matrix))
    vectors = matrix.rows(rows)
    filled(cells, vectors, matrix.ids[rows], assign(cells.centres(), vectors))
    whole = matrix.pieces[0] if len(matrix.pieces) == 1 else np.concatenate(matrix.pieces)
    living = np.flatnonzero(matrix.alive)
    probe = Probe.of(whole, matrix.ids, np.sort(np.random.default_rng(SEED).permutation(living)[:QUERIES]))
    measured = probe.climb(cells, search.state.recall, chosen.probes)[-1]
    if not measured.reaches(search.state.recall):
        return False
    log.info(f"{len(rows):,} images are folded into the search: {measured.words()}")
    state = replace(search.state, last=int(matrix.ids[-1]), revision=matrix.revision, chosen=measured)
    _write(folder, state, cells)
    return True


def _write(folder: Path, state: State, cells: Cells | None) -> None:
    """Write the files: the lists, then, when they are on the disk, what they are."""
    if cells is None:
        (folder / CELLS).unlink(missing_ok=True)
    else:
        with replacing(folder / CELLS) as temporary:
            cells.write(temporary)
            with temporary.open("rb+") as stream:
                os.fsync(stream.fileno())
        now = (folder / CELLS).stat()
        state = replace(state, size=now.st_size, crc=_crc(folder / CELLS), written=now.st_mtime_ns)
    with replacing(folder / STATE) as temporary:
        temporary.write_text(json.dumps(asdict(state)), encoding="utf-8")


def _state(folder: Path) -> State | None:
    with suppress(OSError, ValueError, TypeError, KeyError):
        content = json.loads((folder / STATE).read_text(encoding="utf-8"))
        chosen, tried = Tried(**content.pop("chosen")), tuple(Tried(**one) for one in content.pop("tried"))
        return State(**content, chosen=chosen, tried=tried)
    return None


def _crc(file: Path) -> int:
    crc = 0
    with file.open("rb") as stream:
        while part := stream.read(CHUNK):
            crc = zlib.crc32(part, crc)
    return crc


def _near(matrix: Matrix, ids: Ints) -> Ints:
    """The row of each id, or of one beside it where it is not there."""
    return np.minimum(np.searchsorted(matrix.ids, ids), len(matrix) - 1)


def _from(matrix: Matrix, start: int) -> list[Floats]:
    """The vectors from a row on, in pieces, none copied."""
    rest = []
    for piece in matrix.pieces:
        if len(piece) > start:
            rest.append(piece[max(start, 0) :])
        start -= len(piece)
    return rest
