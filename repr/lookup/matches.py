"""What a lookup answers: the products most like a photograph, each once, with the stored image that speaks for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypedDict

import numpy as np

from repr.arrays import Doubles, Floats, Ints
from repr.images.boxes import Box
from repr.search.exact import pieces, top_k_of

Search = Callable[[Floats, int], tuple[Floats, Ints]]  # queries (q, d) and k → scores and rows (q, k), best first; END, GONE


END, GONE = -1, -2  # in the place of a row: there is no more; it was removed


class MatchJson(TypedDict):
    """A match, as `repr lookup --json` prints it."""

    product: str
    name: str | None
    barcode: str | None
    category: list[str]
    probability: float | None
    score: float
    image: str


@dataclass(frozen=True)
class Match:
    """One product: its id, the cosine of its nearest image to the query (higher is better), that image relative to the root, and its box.

    category: names from the top down. probability: of its being this product, given that it is a stored one; None of a bare search by
    cosine. Matches are in the order of the learner's scores, which need not be that of cosines.
    """

    product: str
    score: float
    image: str
    name: str | None = None
    barcode: str | None = None
    category: tuple[str, ...] = ()
    probability: float | None = None
    box: Box | None = None

    def as_json(self) -> MatchJson:
        """The object that stands in `matches`."""
        return {
            "product": self.product,
            "name": self.name,
            "barcode": self.barcode,
            "category": list(self.category),
            "probability": self.probability,
            "score": self.score,
            "image": self.image,
        }


class AnswerJson(TypedDict, total=False):
    """An answer, as `repr lookup --json` prints it; `error` only where there is one."""

    query: str
    unknown: bool | None
    matches: list[MatchJson]
    error: str


@dataclass(frozen=True)
class Answer:
    """What was found for one photograph: products, best first. error: why there is no answer, "" where there is one.

    query: its path, or its place among those that were asked about. unknown: whether it shows no stored product as far as the index
    can tell; None where there is no answer.
    """

    query: str
    matches: tuple[Match, ...] = ()
    unknown: bool | None = None
    error: str = ""

    def as_json(self) -> AnswerJson:
        """The object that stands in `results`."""
        content: AnswerJson = {"query": self.query, "unknown": self.unknown, "matches": [match.as_json() for match in self.matches]}
        if self.error:
            content["error"] = self.error
        return content


class Stored(Protocol):
    """Stored images to search among: `repr.lookup.cache.Matrix`, `repr.lookup.gallery.Gallery`."""

    @property
    def pieces(self) -> Sequence[Floats]:
        """Vectors (n_i, d) of length 1 that follow each other, of removed images too."""

    @property
    def n_images(self) -> int:
        """How many were not removed."""

    @property
    def n_products(self) -> int:
        """How many products these show."""

    def owners(self, rows: Ints) -> Ints:
        """(m,) the number of the product of each of some rows (m,), below 0 for those that were removed."""

    def __len__(self) -> int:
        """All rows."""


def hits(stored: Stored, queries: Floats, k: int, *, per_image: bool = False, search: Search | None = None) -> list[Doubles]:
    """For each query (q, d), of length 1, its hits (m, 2) float64: row and cosine, best first.

    The k best products with their best image; per_image: the k best images. m is below k where there are fewer. Images that were removed
    are passed over. search: another search than the exact one, of the same rows; who gets too few from it is answered by the exact one.
    """
    n = len(stored)
    wanted = min(k, stored.n_images if per_image else stored.n_products)
    found, todo = [np.empty((0, 2))] * len(queries), np.arange(len(queries))
    depth = min(n, (wanted if per_image else 4 * wanted) + (0 if stored.n_images == n else wanted))
    while len(todo) and wanted:
        unfinished, short = list[int](), list[int]()
        for part in pieces(len(todo), depth):
            rows = todo[part]
            scores, positions = search(queries[rows], depth) if search else top_k_of(queries[rows], stored.pieces, depth)
            for row, s, p in zip(rows, scores, positions, strict=True):
                found[row], ended = best(s, p, stored, wanted, per_image=per_image)
                if len(found[row]) < wanted and (ended or depth < n):
                    (short if ended and search else unfinished).append(row)
        for row, better in zip(short, hits(stored, queries[short], k, per_image=per_image) if short else [], strict=True):
            found[row] = better
        todo, depth = np.array(unfinished, dtype=np.int64), min(n, 4 * depth)
    return found


def best(scores: Floats, positions: Ints, stored: Stored, wanted: int, *, per_image: bool) -> tuple[Doubles, bool]:
    """The best `wanted` of one query's hits, and whether the search has no more to give.

    scores, positions: (depth,), best first. Returns (m, 2) float64, position and score in a row, m up to `wanted`.
    """
    ended = bool((positions == END).any())  # which only a search of lists can have
    real = positions >= 0
    positions, scores = positions[real], scores[real]
    owners = stored.owners(positions)
    living = owners >= 0
    positions, scores, owners = positions[living], scores[living], owners[living]
    if not per_image:
        _, first = np.unique(owners, return_index=True)
        first.sort()
        positions, scores = positions[first], scores[first]
    return np.column_stack([positions, scores])[:wanted], ended
