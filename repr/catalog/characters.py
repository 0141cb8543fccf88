"""How often each character stands in titles and in OCR text (Fig. 6 of the MEP-3M journal paper compares the two)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from repr.arrays import Doubles, Ints
from repr.catalog.table import Catalog

BLOCK = 1 << 16  # texts counted at a time


@dataclass(frozen=True)
class Characters:
    """Letters and digits that occur, most frequent in both together first, with their counts: (n,) int64 each."""

    characters: tuple[str, ...]
    titles: Ints
    ocr: Ints

    def rates(self) -> tuple[Doubles, Doubles]:
        """Each character's share of all characters counted in titles, and in OCR: (n,) fractions."""
        return self.titles / max(1, self.titles.sum()), self.ocr / max(1, self.ocr.sum())


def characters(catalog: Catalog) -> Characters:
    """Count every letter and digit of titles and OCR, as written; blanks, marks and signs do not count."""
    titles, ocr = _counts(catalog.table["title"]), _counts(catalog.table["ocr"])
    codes = [code for code in np.flatnonzero(titles + ocr) if chr(code).isalnum()]
    shares = titles[codes] / max(1, titles[codes].sum()) + ocr[codes] / max(1, ocr[codes].sum())
    order = np.asarray(codes, dtype=np.int64)[np.argsort(-shares, kind="stable")]
    return Characters(tuple(map(chr, order)), titles[order], ocr[order])


def _counts(column: pa.ChunkedArray) -> Ints:
    """(0x110000,) int64: how often each code point occurs in a column of texts."""
    counts = np.zeros(0x110000, dtype=np.int64)
    for first in range(0, len(column), BLOCK):
        joined = "".join(text for text in column.slice(first, BLOCK).to_pylist() if text)
        counts += np.bincount(np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32), minlength=len(counts))
    return counts
