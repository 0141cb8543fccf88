"""What is measured on what: the labelled images of a catalog, or somebody's vectors, as stored ones and queries."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from repr.arrays import Array, Floats, Ints
from repr.errors import UserError
from repr.files import replacing
from repr.vectors import check_finite

if TYPE_CHECKING:
    from repr.catalog.table import Catalog


LARGEST = 1e15  # of a vector's numbers: the squares of more do not add up in float32


@dataclass(frozen=True)
class Task:
    """Stored images and queries with their labels. `queries` None: every stored image is searched among the others.

    bank, queries: (n,), (q,) int64 rows of the catalog. bank_labels, query_labels: int64 class numbers on the measured
    level. bank_levels, query_levels: the labels on each level 1-3 that the catalog has, for hits by level; -1 for none.
    """

    bank: Ints
    bank_labels: Ints
    queries: Ints | None
    query_labels: Ints
    names: tuple[str, ...]
    level: int
    bank_levels: dict[int, Ints]
    query_levels: dict[int, Ints]

    @property
    def rows(self) -> Ints:
        """All rows that need an embedding: stored ones, then queries."""
        return self.bank if self.queries is None else np.concatenate([self.bank, self.queries])


def task(catalog: Catalog, level: int | None = None, *, leave_one_out: bool = False) -> Task:
    """Stored = train, queries = test (val where there is no test); images without a label on the level are left out.

    With leave_one_out, without a train part, or without anything else, all images are searched among each other. Raises UserError when no
    image has a label on the level.
    """
    level = level or catalog.default_level
    labels, names = catalog.labels(level)
    split = catalog.column("split").astype(str)
    labelled = labels >= 0
    train = np.flatnonzero(labelled & (split == "train"))
    apart = next((rows for part in ("test", "val") if len(rows := np.flatnonzero(labelled & (split == part)))), None)
    both = len(train) > 0 and apart is not None and not leave_one_out
    bank = train if both else np.flatnonzero(labelled)
    queries = apart if both else None
    query_rows = bank if queries is None else queries
    of_level = _levels(catalog)
    return Task(
        bank,
        labels[bank],
        queries,
        labels[query_rows],
        names,
        level,
        {number: numbers[bank] for number, numbers in of_level.items()},
        {number: numbers[query_rows] for number, numbers in of_level.items()},
    )


def _levels(catalog: Catalog) -> dict[int, Ints]:
    labels: dict[int, Ints] = {}
    for number in (1, 2, 3):
        if (catalog.column(f"class_{number}") >= 0).any():
            labels[number] = catalog.labels(number)[0]
    return labels


@dataclass(frozen=True)
class Vectors:
    """Somebody's vectors: bank (n, d) with labels (n,); queries (q, d) or None to search the bank in itself."""

    bank: Floats
    bank_labels: Ints
    queries: Floats | None
    query_labels: Ints
    names: tuple[str, ...]


def read_vectors(path: Path) -> Vectors:
    """An .npz with arrays `embeddings` (q, d) and `labels` (q,), numbers or text; and, for a gallery apart from the
    queries, `gallery_embeddings` (n, d) and `gallery_labels` (n,). Raises UserError that names what is missing or wrong.
    """
    remedy = "Write it with numpy.savez(file, embeddings=..., labels=...)"
    try:
        with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays: dict[str, Array] = {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise UserError("there is no such file", path, "Check the path") from None
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, AttributeError, TypeError) as error:
        raise UserError(f"not a readable .npz file of plain arrays ({error})", path, remedy) from None
    gallery = "gallery_embeddings" in arrays
    for name in ("embeddings", "labels", *(("gallery_embeddings", "gallery_labels") if gallery or "gallery_labels" in arrays else ())):
        if name not in arrays:
            raise UserError(f"no array `{name}` in it (it has: {', '.join(sorted(arrays)) or 'none'})", path, remedy)
    queries, labels = _checked(arrays["embeddings"], arrays["labels"], "", path)
    names, codes = np.unique(labels, return_inverse=True)
    if not gallery:
        return Vectors(queries, codes.astype(np.int64), None, codes.astype(np.int64), tuple(map(str, names)))
    bank, bank_labels = _checked(arrays["gallery_embeddings"], arrays["gallery_labels"], "gallery_", path)
    if bank.shape[1] != queries.shape[1]:
        raise UserError(f"embeddings have {queries.shape[1]} numbers each and gallery_embeddings {bank.shape[1]}", path, remedy)
    if (bank_labels.dtype.kind == "U") != (labels.dtype.kind == "U"):
        raise UserError(f"labels are {labels.dtype} and gallery_labels {bank_labels.dtype}", path, "Give both as numbers or both as text")
    together = np.concatenate([bank_labels, labels])
    if together.dtype.kind == "f":  # int64 beside uint64, whose common type rounds
        together = np.concatenate([bank_labels.astype(object), labels.astype(object)])
    names, codes = np.unique(together, return_inverse=True)
    codes = codes.astype(np.int64)
    return Vectors(bank, codes[: len(bank)], queries, codes[len(bank) :], tuple(map(str, names)))


def write_vectors(path: Path, vectors: Floats, labels: Ints, names: Sequence[str], stored: Ints, queries: Ints) -> None:
    """Write what `read_vectors` reads: rows `queries` of vectors (n, d) as queries, rows `stored` as the gallery unless they are the same.

    labels: (n,) positions in `names`, written as text.
    """
    text = np.asarray(names, dtype=np.str_)[labels]
    arrays = {"embeddings": vectors[queries], "labels": text[queries]}
    if not np.array_equal(stored, queries):
        arrays |= {"gallery_embeddings": vectors[stored], "gallery_labels": text[stored]}
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def _checked(vectors: Array, labels: Array, prefix: str, path: Path) -> tuple[Floats, Array]:
    if vectors.ndim != 2 or vectors.dtype.kind not in "fiu" or not vectors.size:
        raise UserError(f"`{prefix}embeddings` is {vectors.dtype} {vectors.shape}", path, "Give numbers of shape (images, dimensions)")
    if labels.shape != (len(vectors),) or labels.dtype.kind not in "iuUSb":
        message = f"`{prefix}labels` is {labels.dtype} {labels.shape} for {len(vectors)} embeddings"
        raise UserError(message, path, "Give one whole number or text an embedding")
    check_finite(vectors, f"{path}: {prefix}embeddings", "Leave such rows out, or mend what made them")
    if float(np.abs(vectors).max()) > LARGEST:
        raise UserError(f"`{prefix}embeddings` has numbers beyond {LARGEST:g}", path, "Scale the vectors; only their directions count")
    if labels.dtype.kind == "S":
        try:
            labels = np.char.decode(labels, "utf-8")
        except UnicodeDecodeError:
            raise UserError(f"`{prefix}labels` are bytes that are not UTF-8", path, "Give whole numbers or text") from None
    return vectors.astype(np.float32), labels
