"""Many photographs at once: files and folders in, answers out as they are found, into a file where one is named."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TextIO

from repr import progress
from repr.catalog.passed import PassedOver, Tally
from repr.catalog.tree import images
from repr.errors import UserError
from repr.files import replacing
from repr.images.reader import ImageLike
from repr.lookup.matches import Answer

PIECE = 256  # photographs embedded at a time
FORMATS = (".csv", ".jsonl")
COLUMNS = ("query", "unknown", "rank", "product", "name", "barcode", "category", "probability", "score", "image", "error")

Write = Callable[[Answer], None]


class Lookup(Protocol):
    """An index that can be asked: `repr.lookup.index.Index`, `repr.lookup.cold.Cold`."""

    def lookup(self, images: Sequence[ImageLike], k: int = 10, *, per_image: bool = False) -> list[Answer]:
        """An answer for each image."""


@dataclass(frozen=True)
class Photographs:
    """Files to be looked up, and what lay in their folders beside them (`repr.catalog.announce`)."""

    files: tuple[Path, ...]
    passed_over: tuple[PassedOver, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, names: Sequence[str | Path]) -> Photographs:
        """Files as they are named, whatever they hold, and every image below a folder. Raises UserError for a folder without any."""
        files, passed = list[Path](), Tally()
        for name in map(Path, names):
            photos = [name / Path(*parts) for parts in images(name, passed)] if name.is_dir() else [name]
            if not photos:
                lying = "; ".join(one.line() for one in passed.list())
                raise UserError(f"no image in the folder{f' ({lying})' if lying else ''}", name, "Name photographs, or a folder of them")
            files += photos
        return cls(tuple(files), passed.list())


def answers(index: Lookup, photographs: Sequence[Path], k: int = 10, *, per_image: bool = False) -> Iterator[Answer]:
    """The answer to each, in order, found a piece at a time. k, per_image: as for `Index.lookup`."""
    with progress.bar(len(photographs), "Looking up", "photograph") as bar:
        for start in range(0, len(photographs), PIECE):
            piece = list(photographs[start : start + PIECE])
            yield from index.lookup(piece, k, per_image=per_image)
            bar.update(len(piece))


@contextmanager
def writing(file: Path | None) -> Iterator[Write]:
    """What writes an answer after the other into a .csv file, a row a match, or a .jsonl file, a line a photograph; whole or not at all.

    file: None to write nothing. A photograph without a match has a row of its own in the table, with the error if there is one.
    Raises UserError for another ending.
    """
    if file is None:
        yield lambda answer: None
        return
    if file.suffix.lower() not in FORMATS:
        raise UserError(f"no format {file.suffix!r}", file, f"End it with {' or '.join(FORMATS)}", argument="out")
    with replacing(file) as temporary, temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
        yield _rows(stream) if file.suffix.lower() == ".csv" else lambda answer: _line(stream, answer)


def _line(stream: TextIO, answer: Answer) -> None:
    stream.write(json.dumps(answer.as_json(), ensure_ascii=False) + "\n")


def _rows(stream: TextIO) -> Write:
    table = csv.DictWriter(stream, COLUMNS, restval="")
    table.writeheader()

    def _write(answer: Answer) -> None:
        first = {"query": answer.query, "unknown": "" if answer.unknown is None else str(answer.unknown).lower()}
        if not answer.matches:
            table.writerow({**first, "error": answer.error})
        for rank, match in enumerate(answer.matches, 1):
            cells = {**match.as_json(), "category": " > ".join(match.category)}
            table.writerow({**first, "rank": rank, **{name: "" if value is None else value for name, value in cells.items()}})

    return _write
