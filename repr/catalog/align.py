"""Classes of several sources that mean the same: which names and titles agree, and under which name they could be merged.

Liu et al., Pattern Recognition 140 (2023) 109519, Table 3: classes of different platforms were merged when their names are alike
(S_label) and their titles are too (S_content).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import combinations

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix

from repr import progress
from repr.arrays import Doubles, Ints
from repr.catalog.table import Catalog
from repr.catalog.union import union
from repr.catalog.words import terms
from repr.errors import UserError
from repr.records import Json

S_LABEL, S_CONTENT = 0.50, 0.75  # the paper's thresholds
CHARACTERS = 22_000  # of a class's joined titles that count, as in the paper
BLOCK = 1024  # titles of a class taken at a time until they are long enough


@dataclass(frozen=True)
class Label:
    """A class that occurs. code: position on the level; parent: the name of the class above it, "" for none; side: number of its input."""

    code: int
    id: str
    name: str
    parent: str
    products: int
    side: int


@dataclass(frozen=True)
class Pair:
    """Two classes, as alike as their names and their titles are (fractions). proposed: the merged name, None when they stay apart.

    s_content is None when one of them has no title with a term in it.
    """

    a: Label
    b: Label
    s_label: float
    s_content: float | None
    proposed: str | None

    def as_json(self) -> dict[str, Json]:
        """The object that `repr catalog align --json` prints for it."""
        return {
            "a": self.a.name,
            "b": self.b.name,
            "s_label": self.s_label,
            "s_content": self.s_content,
            "proposed": self.proposed,
            "a_id": self.a.id,
            "b_id": self.b.id,
            "class": self.a.parent,
        }


@dataclass(frozen=True)
class Alignment:
    """The pairs compared, proposed ones first, then by S_label, with the thresholds used.

    catalog: all inputs as one; the mapping file speaks of its ids. derived: mean S_content of the pairs of identical names, None without.
    """

    catalog: Catalog
    level: int
    pairs: tuple[Pair, ...]
    s_label: float
    s_content: float
    derived: float | None

    def as_json(self) -> dict[str, Json]:
        """The object that `repr catalog align --json` prints."""
        return {
            "pairs": [pair.as_json() for pair in self.pairs],
            "level": self.level,
            "thresholds": {"s_label": self.s_label, "s_content": self.s_content},
            "derived_s_content": self.derived,
            "synthetic": self.catalog.synthetic,
        }

    def summary(self) -> str:
        """The comparison in a sentence or two."""
        close = sum(pair.s_label >= self.s_label for pair in self.pairs)
        proposed = sum(pair.proposed is not None for pair in self.pairs)
        same = f" The mean over identical names is {self.derived:.3f}." if self.derived is not None else ""
        return (
            f"{self.catalog.name}{' (synthetic)' if self.catalog.synthetic else ''}: {len(self.pairs):,} pairs of level {self.level} "
            f"compared; {close:,} with S_label ≥ {self.s_label:g}, {proposed:,} proposed with S_content > {self.s_content:.3g}.{same}"
        )

    def table(self, pairs: Sequence[Pair]) -> tuple[list[str], list[list[str]]]:
        """Header and rows of some pairs, for printing."""
        rows = [
            [f"{p.a.name} / {p.b.name}", f"{p.s_label:.2f}", "–" if p.s_content is None else f"{p.s_content:.3f}", p.proposed or ""]
            for p in pairs
        ]
        return ["pair", "S_label", "S_content", "merged as"], rows

    def groups(self) -> list[list[Label]]:
        """Labels to be merged, each with all that it is proposed to be merged with, directly or through others."""
        return _groups([(pair.a, pair.b) for pair in self.pairs if pair.proposed is not None])


def s_label(a: str, b: str) -> float:
    """Likeness of two names, 0 to 1: the ratio of Python's difflib, the larger of both orders, since difflib's depends on the order."""
    return max(SequenceMatcher(None, a, b).ratio(), SequenceMatcher(None, b, a).ratio())


def s_content(texts: Sequence[str], *, binary: bool = False) -> Doubles:
    """Cosine of the texts' term frequencies: (n, n) float64, NaN in row and column of a text without terms.

    Only the first CHARACTERS of a text count. Terms: jieba's where the text is Chinese, words elsewhere. binary: whether a term
    occurs, in place of how often.
    """
    counted = _counted([text[:CHARACTERS] for text in texts])
    vocabulary: dict[str, int] = {}
    columns = [vocabulary.setdefault(term, len(vocabulary)) for terms in counted for term in terms]
    values = [1.0 if binary else float(count) for terms in counted for count in terms.values()]
    starts = np.cumsum([0, *map(len, counted)])
    matrix = csr_matrix((values, columns, starts), shape=(len(texts), max(1, len(vocabulary))))
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((matrix @ matrix.T).toarray() / norms[:, None] / norms[None, :]).clip(max=1.0)


def align(
    catalogs: Sequence[Catalog],
    *,
    level: int = 2,
    label_threshold: float = S_LABEL,
    content_threshold: float | None = S_CONTENT,
    binary: bool = False,
    across: bool = False,
) -> Alignment:
    """Compare the classes of one level: those of different catalogs, or, of a single one, all with each other.

    Only classes that stand under a class of the same name are compared, unless `across`. A pair is proposed when S_label reaches its
    threshold and S_content exceeds its own, as in the paper. Names that are identical are proposed whatever their titles say; that is
    ours: the paper took its content threshold as the mean over them, which about half of them miss, and its Table 3 merges a row of 0.705.
    content_threshold: None for that mean, derived from these data. The proposed name is that of the class with more products in the
    whole group. Raises UserError when the level has too few classes, no two stand under the same class, or there is nothing to derive from.
    """
    catalog = union(catalogs)
    ends = np.cumsum([len(given) for given in catalogs])
    labels, rows = _labels(catalog, level, ends)
    if len(labels) < 2:
        raise UserError(f"classes on level {level}: {len(labels)}, nothing to compare", catalog.name, "Choose another `level`")
    places = {label.code: i for i, label in enumerate(labels)}
    compared = [
        (a, b)
        for a, b in combinations(labels, 2)
        if (across or a.parent == b.parent) and (len(catalogs) == 1 or a.side != b.side)
    ]  # fmt: skip
    if not compared:
        raise UserError(
            f"no two classes of level {level} to compare stand under the same class", catalog.name, "Compare over all with `across`"
        )
    content = s_content([_text(catalog, rows[label.code]) for label in labels], binary=binary)
    scored = [(a, b, s_label(a.name, b.name), float(content[places[a.code], places[b.code]])) for a, b in compared]
    same = [value for a, b, _, value in scored if _same(a, b) and not np.isnan(value)]
    derived = float(np.mean(same)) if same else None
    if content_threshold is None and derived is None:
        raise UserError("no two classes of the same name, so no content threshold can be derived", catalog.name, "Give `s_content`")
    threshold = content_threshold if content_threshold is not None else derived
    assert threshold is not None
    merged = [(a, b) for a, b, alike, value in scored if _same(a, b) or (alike >= label_threshold and value > threshold)]
    names = {label.code: max(group, key=lambda one: (one.products, -one.code)).name for group in _groups(merged) for label in group}
    chosen = {(a.code, b.code) for a, b in merged}
    pairs = [
        Pair(a, b, alike, None if np.isnan(value) else value, names[a.code] if (a.code, b.code) in chosen else None)
        for a, b, alike, value in scored
    ]
    pairs.sort(key=lambda pair: (pair.proposed is None, -pair.s_label, -(pair.s_content or 0), pair.a.code, pair.b.code))
    return Alignment(catalog, level, tuple(pairs), label_threshold, threshold, derived)


def _labels(catalog: Catalog, level: int, ends: Ints) -> tuple[list[Label], dict[int, Ints]]:
    """The classes that occur on a level, by code, and the rows of each. ends: the row after each input's last."""
    codes = catalog.column(f"class_{level}").astype(np.int64)
    order = np.argsort(codes, kind="stable")
    present, firsts = np.unique(codes[order], return_index=True)
    rows = {int(code): part for code, part in zip(present, np.split(order, firsts[1:]), strict=True) if code >= 0}
    above = catalog.classes[level - 2] if level > 1 else ()
    labels = []
    for code, part in rows.items():
        entry = catalog.classes[level - 1][code]
        parent = above[entry.parent].name if above and entry.parent >= 0 else ""
        labels.append(Label(code, entry.id, entry.name, parent, len(part), int(np.searchsorted(ends, part[0], side="right"))))
    return labels, rows


def _text(catalog: Catalog, rows: Ints) -> str:
    """The class's titles joined, as many as are needed for the characters that count."""
    titles: list[str] = []
    length = 0
    for first in range(0, len(rows), BLOCK):
        taken = catalog.table["title"].take(pa.array(rows[first : first + BLOCK])).to_pylist()
        titles += [title for title in taken if title]
        length = sum(map(len, titles)) + len(titles)
        if length > CHARACTERS:
            break
    return " ".join(titles)


def _counted(texts: Sequence[str]) -> list[Counter[str]]:
    """How often each term occurs in each text."""
    bar = progress.counted(texts, len(texts), "Cutting titles", "class")
    return [Counter(terms(text, len(text))) for text in bar]


def _same(a: Label, b: Label) -> bool:
    """Whether two names are identical, blanks at the ends and capitals apart."""
    return a.name.strip().casefold() == b.name.strip().casefold()


def _groups(pairs: Sequence[tuple[Label, Label]]) -> list[list[Label]]:
    """Connected labels, each group and all groups by code."""
    group: dict[Label, list[Label]] = {}
    for pair in pairs:
        joined = list({label: None for one in pair for label in group.get(one, [one])})
        for label in joined:
            group[label] = joined
    distinct = {id(labels): labels for labels in group.values()}
    return sorted((sorted(labels, key=lambda one: one.code) for labels in distinct.values()), key=lambda labels: labels[0].code)
