"""The most frequent terms of titles, Chinese cut by jieba: what Fig. 3 of the MEP-3M paper draws as a cloud."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from repr.catalog.table import Catalog
from repr.catalog.words import terms

LOOKED_AT = 50_000  # titles, evenly over the catalog: jieba cuts some two thousand a second
SHORTEST = 2  # letters of a term; single ones are mostly particles and units


@dataclass(frozen=True)
class TitleTerms:
    """terms: the most frequent ones, with how many titles have each, most frequent first. titles: how many were looked at, of `of`."""

    terms: tuple[tuple[str, int], ...]
    titles: int
    of: int


def title_terms(catalog: Catalog, most: int = 120) -> TitleTerms:
    """Count in how many titles each term stands; numbers and single letters do not count.

    Raises UserError when titles are Chinese and jieba is not installed.
    """
    column = catalog.table["title"].drop_null()
    chosen = np.unique(np.linspace(0, len(column) - 1, min(len(column), LOOKED_AT)).astype(np.int64)) if len(column) else ()
    counts: Counter[str] = Counter()
    for title in column.take(chosen).to_pylist() if len(column) else ():
        counts.update({term for term in terms(title) if len(term) >= SHORTEST and not term.isnumeric()})
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return TitleTerms(tuple(ranked[:most]), len(chosen), len(column))
