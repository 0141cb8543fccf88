"""The files of an index that is searched by inverted lists.

ivf.faiss                the trained centres, without vectors
segment-000001.lists.npy (n,) int32, the list of each vector of the segment

Lists are kept beside each segment, so that an addition finds the lists of the added vectors alone and opening the index
only copies.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from repr.arrays import Floats, Ints
from repr.errors import UserError
from repr.files import replacing
from repr.lookup.segments import REMEDY, Segment, read_array
from repr.search.exact import load_faiss
from repr.search.ivf import Lists, ListsEngine, assign

CENTRES = "ivf.faiss"
SUFFIX = ".lists.npy"


def write_centres(folder: Path, engine: ListsEngine) -> None:
    """Write the trained, empty FAISS index."""
    with replacing(folder / CENTRES) as temporary:
        load_faiss().write_index(engine, str(temporary))


def read_centres(folder: Path, lists: Lists) -> ListsEngine:
    """The trained, empty FAISS index with its nprobe set. Raises UserError when the file is missing or broken."""
    faiss = load_faiss()
    try:
        engine: ListsEngine = faiss.read_index(str(folder / CENTRES))
    except RuntimeError as error:
        raise UserError(f"not a readable FAISS file ({str(error)[:80]})", folder / CENTRES, REMEDY) from None
    if engine.nlist != lists.nlist or engine.ntotal:
        raise UserError(f"holds {engine.nlist} lists, expected {lists.nlist}", folder / CENTRES, REMEDY)
    engine.nprobe = lists.nprobe
    return engine


def write_lists(folder: Path, segment: Segment, engine: ListsEngine, vectors: Floats) -> None:
    """Find and write the list of each vector (n, d) of a segment."""
    with replacing(folder / f"{segment.stem}{SUFFIX}") as temporary, temporary.open("wb") as stream:
        np.save(stream, assign(engine, vectors).astype(np.int32))


def read_lists(folder: Path, segment: Segment, lists: Lists) -> Ints:
    """(n,) the list of each vector of a segment. Raises UserError when the file does not fit."""
    file = folder / f"{segment.stem}{SUFFIX}"
    numbers = read_array(file).astype(np.int64)
    if numbers.shape != (segment.rows,) or (len(numbers) and not 0 <= numbers.min() <= numbers.max() < lists.nlist):
        raise UserError("does not fit the segment", file, REMEDY)
    return numbers
