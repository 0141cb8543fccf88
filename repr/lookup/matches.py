"""What a search found, as products: each once, by its best image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from repr.arrays import Doubles, Floats, Ints
from repr.images.boxes import Box


@dataclass(frozen=True)
class Match:
    """One answer: a product, the cosine of its image to the query (higher is better), the image relative to the root."""

    product: str
    score: float
    image: str
    name: str | None = None
    barcode: str | None = None
    box: Box | None = None


def best(scores: Floats, positions: Ints, codes: Ints | None, wanted: int) -> tuple[Doubles, bool]:
    """The best `wanted` of one query's hits, and whether the search has no more to give.

    scores, positions: (depth,), best first; codes: (n,) the product of each position, to take each once; None takes all.
    Returns (m, 2) float64, position and score in a row, m up to `wanted`.
    """
    real = positions >= 0  # FAISS fills short lists with -1, which only a search of inverted lists can have
    positions, scores = positions[real], scores[real]
    if codes is not None:
        _, first = np.unique(codes[positions], return_index=True)
        first.sort()
        positions, scores = positions[first], scores[first]
    return np.column_stack([positions, scores])[:wanted], not real.all()


def matches_of(table: pa.Table, hits: Doubles) -> list[Match]:
    """The matches of hits (m, 2) as `best` gives them. table: what stands at each position, with the columns of a segment."""
    rows = table.take(pa.array(hits[:, 0].astype(np.int64))).to_pylist()
    return [
        Match(r["product"], float(score), r["image"], r["name"], r["barcode"], tuple(r["box"]) if r["box"] else None)
        for r, score in zip(rows, hits[:, 1], strict=True)
    ]
