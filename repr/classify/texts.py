"""The texts of a catalog's rows as every text model sees them: title, with the OCR text where asked, masked where asked."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from repr.arrays import Bools, Ints
from repr.catalog.table import Catalog
from repr.classify.mask import Masker

NO_TEXT = "Choose a model that sees images (`model` encoder), or give data with titles"  # the remedy where there is nothing to read
PAIR = "\x1f"  # between a title and the rest where a model reads them as a pair (ASCII unit separator, which no text has)
BLOCK = 8192  # rows made into Python strings at a time


class Texts:
    """Texts made when they are asked for, out of the catalog's Arrow columns: three million cost no Python objects.

    A title, its description and, where asked for (`ocr`), the OCR text. mask: take class words out. hidden: of "title", "ocr" and "text"
    (all of it), what every row is without. A row without any letter has the text "".
    """

    def __init__(self, catalog: Catalog, *, ocr: bool = False, mask: bool = False, hidden: frozenset[str] = frozenset()) -> None:
        names = ["title", "description", *(["ocr"] if ocr else [])]
        there = [name for name in names if not hidden & {name, "text"} and catalog.table.column(name).null_count < len(catalog)]
        self._columns = [catalog.table.column(name) for name in there]
        self._rows = len(catalog)
        self.masker = Masker(entry.name for level in catalog.classes for entry in level) if mask else None

    def __len__(self) -> int:
        return self._rows

    def take(self, rows: Ints, pair: bool = False) -> list[str]:
        """The texts of rows, in their order. Blanks are squeezed; a text without any letter or digit is "".

        pair: PAIR stands between what comes first and the rest, where a row has both.
        """
        if not self._columns:
            return [""] * len(rows)
        chosen = pa.array(rows, type=pa.int64())
        columns = [column.take(chosen).to_pylist() for column in self._columns]
        if not pair or len(columns) < 2:
            return [self._made("\n".join(filter(None, parts))) for parts in zip(*columns, strict=True)]
        halves = ((self._made(first or ""), self._made("\n".join(filter(None, rest)))) for first, *rest in zip(*columns, strict=True))
        return [PAIR.join(filter(None, both)) for both in halves]

    def blocks(self, rows: Ints, pair: bool = False) -> Iterator[list[str]]:
        """The same in blocks of BLOCK rows."""
        for first in range(0, len(rows), BLOCK):
            yield self.take(rows[first : first + BLOCK], pair)

    def present(self, rows: Ints) -> Bools:
        """(len(rows),) whether a row has any text."""
        blocks = [np.fromiter((bool(text) for text in block), bool, len(block)) for block in self.blocks(rows)]
        return np.concatenate(blocks) if blocks else np.zeros(0, bool)

    def _made(self, text: str) -> str:
        if self.masker is not None:
            text = self.masker(text)
        return " ".join(text.split()) if any(map(str.isalnum, text)) else ""
