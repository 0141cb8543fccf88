"""Train and test, 8:2: `random` as the MEP-3M paper, `stratified` by class, `grouped` with identical titles and look-alikes on one side.

A random split of a shop's listings puts the same title, and often the same image, on both sides, so that a model that
remembers scores like one that generalises.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from repr.arrays import Array, Bools, Ints
from repr.catalog import fingerprints
from repr.catalog.table import Catalog
from repr.errors import UserError
from repr.records import Json

SHARE = 0.2  # of the rows that are for the test: 8:2, Pattern Recognition 140 (2023) 109519, section 4.2
RAKUTEN = 0.1  # 9:1, Bi, Wang and Fan, A Multimodal Late Fusion Model, SIGIR eCom 2020, section 4.1
METHODS = ("random", "stratified", "grouped")
PIECE = 100_000  # titles at a time
LARGEST = 0.05  # of the rows that one group may hold before its look-alikes are let go again
FEW = 20  # rows that may be one group however few there are in all
# What people and programs write where there is no title, after `_normal` and without what is no letter or digit: "#N/A" is "na".
PLACEHOLDERS = frozenset({
    "nan", "na", "none", "null", "nil", "unknown", "undefined", "unnamed", "untitled", "notitle", "title", "noname", "missing", "empty",
    "notavailable", "notapplicable", "nodescription", "default", "defaulttitle", "tbd", "tba", "tbc", "unbekannt", "keine",
    "无", "未知", "暂无", "没有", "无标题", "暂无标题",
})  # fmt: skip
WORDLESS = r"[^\p{L}\p{N}]+"


@dataclass(frozen=True)
class Report:
    """What a split did. twins: test rows with an identical title or near-identical image in training."""

    method: str
    train: int
    test: int
    groups: int
    largest: int
    twins: int
    untested: tuple[str, ...]  # classes without a test row: of one group, which stays in training
    unreadable: int
    why: tuple[str, ...]  # on titles that tie nothing, and on groups of more than LARGEST of the rows

    def as_json(self) -> dict[str, Json]:
        """The report as `repr catalog split --json` prints it."""
        return asdict(self) | {"untested": list(self.untested), "why": list(self.why)}

    def lines(self) -> list[str]:
        """The report in words, one fact a line."""
        rows = self.train + self.test
        out = [
            f"Split {self.method}: {self.train} train, {self.test} test ({100 * self.test / rows:.1f} %); {self.groups} groups, "
            f"the largest of {self.largest} rows; {self.twins} test rows have a twin in training."
        ]
        out += [f"{sentence[0].upper()}{sentence[1:]}." for sentence in self.why]
        if self.untested:
            shown = ", ".join(self.untested[:5]) + (", …" if len(self.untested) > 5 else "")
            why = "is one group" if self.method == "grouped" else "drew none"
            out.append(f"Classes without a test row, since each {why} ({len(self.untested)}): {shown}.")
        if self.unreadable:
            out.append(f"Images that could not be read to compare them: {self.unreadable}.")
        return out


@dataclass(frozen=True)
class Divided:
    """split: (n,) "train" or "test". groups: (n,) the group of each row, 0..g-1."""

    split: Array
    groups: Ints
    report: Report


@dataclass(frozen=True)
class Links:
    """What ties rows together. title, content: (n,) ids, -1 for none, equal for identical; near: (m, 2) pairs of look-alikes."""

    title: Ints
    content: Ints
    near: Ints
    unreadable: int
    common: tuple[str, ...] = ()  # on the titles that tie nothing, since too many rows have them

    def why(self, groups: Ints) -> tuple[str, ...]:
        """What there is to say of titles that tie nothing, and of groups of more than LARGEST of the rows."""
        sizes, n = np.bincount(groups), len(groups)
        large = np.flatnonzero(sizes > LARGEST * n) if n > FEW else np.flatnonzero(sizes > n / 2)
        if not len(large):
            return self.common
        most = large[np.argmax(sizes[large])]
        of_it = groups == most
        ties = {"equal titles": self.title, "identical files": self.content}
        by = [what for what, ids in ties.items() if of_it.sum() > len(np.unique(ids[of_it & (ids >= 0)])) + (of_it & (ids < 0)).sum()]
        by += ["look-alikes"] if of_it[self.near[:, 0]].any() else []
        several = f"{len(large)} groups hold more than {LARGEST:.0%} of the rows each, the largest" if len(large) > 1 else "one group holds"
        return (*self.common, f"{several} {sizes[most]:,} of {n:,} rows, tied by {' and '.join(by)}")

    def groups(self) -> Ints:
        """(n,) connected components. A component above LARGEST of the rows (and 20) keeps only its identical rows together."""
        groups = self._components(self.near)
        sizes = np.bincount(groups)
        large = sizes > max(LARGEST * len(groups), FEW)
        if not large.any():
            return groups
        return self._components(self.near[~large[groups[self.near[:, 0]]]])

    def _components(self, near: Ints) -> Ints:
        n, rows = len(self.title), np.arange(len(self.title))
        titles = int(self.title.max(initial=-1)) + 1
        nodes = n + titles + int(self.content.max(initial=-1)) + 1
        titled, known = self.title >= 0, self.content >= 0
        a = np.concatenate([rows[titled], rows[known], near[:, 0]])
        b = np.concatenate([n + self.title[titled], n + titles + self.content[known], near[:, 1]])
        graph = coo_matrix((np.ones(len(a), np.int8), (a, b)), shape=(nodes, nodes))
        _, component = connected_components(graph, directed=False)
        _, groups = np.unique(component[:n], return_inverse=True)
        return groups.astype(np.int64)

    def twins(self, test: Bools) -> int:
        """How many test rows are tied directly to a training row."""
        tied = np.zeros(len(test), bool)
        for ids in (self.title, self.content):
            tied |= test & (ids >= 0) & np.isin(ids, ids[~test])
        a, b = self.near[:, 0], self.near[:, 1]
        tied[a[test[a] & ~test[b]]] = True
        tied[b[test[b] & ~test[a]]] = True
        return int(tied.sum())


def title_ids(catalog: Catalog) -> Ints:
    """(n,) equal numbers for equal titles (after NFKC, case folding and squeezing blanks); -1 for none, a placeholder or a class name.

    Titles are read in pieces and told apart by 64-bit hashes, numbered by first appearance: normalised side by side, three million
    take gigabytes. Two different ones among so many are equal with a probability of 2e-7.
    """
    column = catalog.table["title"]
    names = _normal(pa.array([entry.name for level in catalog.classes for entry in level], pa.string())).to_pylist()
    tells_nothing = {None, *names}
    hashes, telling = np.zeros(len(column), np.int64), np.zeros(len(column), bool)
    for first in range(0, len(column), PIECE):
        normal = _normal(column.slice(first, PIECE).combine_chunks())
        titles, bare = normal.to_pylist(), pc.replace_substring_regex(normal, WORDLESS, "").to_pylist()
        hashes[first : first + PIECE] = [hash(title) for title in titles]
        telling[first : first + PIECE] = [
            title not in tells_nothing and word != "" and word not in PLACEHOLDERS for title, word in zip(titles, bare, strict=True)
        ]
    ids = np.full(len(column), -1, np.int64)
    _, appeared, places = np.unique(hashes[telling], return_index=True, return_inverse=True)
    ids[telling] = np.argsort(np.argsort(appeared))[places]
    return ids


def _normal(texts: pa.Array) -> pa.Array:
    folded = pc.utf8_lower(pc.utf8_normalize(texts, form="NFKC"))
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(folded, r"\s+", " "))


def common_titles(titles: Ints, finest: Ints) -> Ints:
    """The title numbers that stand on so many rows that they are no title of anything: above LARGEST of the rows, and FEW.

    Among fewer rows, from 3 on, those of several of the finest classes, or on more than half of the rows. titles, finest: (n,).
    """
    counts = np.bincount(titles[titles >= 0], minlength=1)
    frequent = np.flatnonzero(counts > max(LARGEST * len(titles), 2))
    half = len(titles) / 2
    common = [title for title in frequent if counts[title] > min(FEW, half) or len(np.unique(finest[titles == title])) > 1]
    return np.array(common, np.int64)


def find_links(catalog: Catalog, *, look: bool = True) -> Links:
    """The ties between a catalog's rows by title and image. Images that cannot be read are tied by title alone.

    look: False opens no image; the ties are then by title alone. A title that too many rows have ties none of them: see `common_titles`.
    """
    titles = title_ids(catalog)
    common = common_titles(titles, _finest(_labels(catalog)))
    said = tuple(_common(catalog, np.flatnonzero(titles == title)) for title in common.tolist())
    titles[np.isin(titles, common)] = -1
    if not look:
        return Links(titles, np.full(len(catalog), -1), np.empty((0, 2), np.int64), 0, said)
    prints = fingerprints.fingerprints(catalog)
    return Links(titles, prints.content, fingerprints.near_pairs(prints), int((prints.content < 0).sum()), said)


def _common(catalog: Catalog, rows: Ints) -> str:
    title = catalog.table["title"][int(rows[0])].as_py()
    return f"the title {title!r} stands on {len(rows):,} of {len(catalog):,} rows and ties none of them"


def _labels(catalog: Catalog) -> list[Ints]:
    return [catalog.column(f"class_{level}").astype(np.int64) for level in (1, 2, 3)]


def usual_share(catalog: Catalog) -> float:
    """The share of a catalog's rows that is for the test: RAKUTEN where all sources are of that challenge, else SHARE."""
    return RAKUTEN if all(source.kind == "rakuten" for source in catalog.sources) else SHARE


def divide(catalog: Catalog, method: str, seed: int, *, look: bool = True, share: float | None = None) -> Divided:
    """Train and test for every row: `random` draws of all rows, `stratified` of each class, `grouped` of each class by whole groups.

    look: False opens no image, which only a grouped split has need of; groups and twins are then by title alone. share: of the rows that
    are for the test; None for `usual_share`.
    Grouped: every class, on every level, has at least one row on each side, if it has two groups; classes of one group stay in
    training and are reported. Raises UserError for an unknown method or fewer than two rows.
    """
    if method not in METHODS:
        raise UserError(f"no split is called {method!r}", "", f"Choose from: {', '.join(METHODS)}", argument="split")
    if len(catalog) < 2:
        raise UserError("fewer than two images cannot be divided", catalog.name, "Give more images")
    rng = np.random.default_rng(seed)
    share = usual_share(catalog) if share is None else share
    links, labels = find_links(catalog, look=look), _labels(catalog)
    groups = links.groups()
    if method == "random":
        test = np.zeros(len(catalog), bool)
        test[rng.permutation(len(catalog))[: max(1, round(share * len(catalog)))]] = True
    else:
        test = assign(groups if method == "grouped" else np.arange(len(catalog)), labels, rng, share)
    level = catalog.default_level
    entries = catalog.classes[level - 1]
    label = labels[level - 1]
    untested = np.setdiff1d(label[label >= 0], label[test])
    report = Report(
        method=method,
        train=int((~test).sum()),
        test=int(test.sum()),
        groups=int(groups.max()) + 1,
        largest=int(np.bincount(groups).max()),
        twins=links.twins(test),
        untested=tuple(entries[code].name for code in untested),
        unreadable=links.unreadable,
        why=links.why(groups),
    )
    return Divided(np.where(test, "test", "train").astype(object), groups, report)


def assign(groups: Ints, labels: list[Ints], rng: np.random.Generator, share: float = SHARE) -> Bools:
    """Which rows are for the test: (n,) bool, whole groups, about `share` of each finest class.

    groups: (n,) 0..g-1. labels: one (n,) array of codes a level, coarse to fine, -1 for none.
    """
    finest = _finest(labels)
    sizes = np.bincount(groups)
    _, first = np.unique(groups, return_index=True)
    home = finest[first]  # a group counts for the class of its first row
    goal = np.maximum(np.round(share * np.bincount(finest)), 1).astype(np.int64)
    filled = np.zeros_like(goal)
    chosen = np.zeros(len(sizes), bool)
    for group in rng.permutation(len(sizes)):
        if filled[home[group]] + sizes[group] <= goal[home[group]]:
            chosen[group] = True
            filled[home[group]] += sizes[group]
    for _ in range(3):  # groups that lie in two classes can undo what was done for the class before
        before = chosen.copy()
        for label in [finest, *reversed(labels)]:
            _mend(chosen, groups, label, sizes)
        if (chosen == before).all():
            break
    return np.asarray(chosen[groups])


def _mend(chosen: Bools, groups: Ints, label: Ints, sizes: Ints) -> None:
    """Where all groups of a class are on one side, move the smallest over; a class of one group stays in training."""
    n_groups = len(sizes)
    pairs = np.sort(label[label >= 0] * n_groups + groups[label >= 0])  # (class, group), as one number
    pairs = pairs[np.diff(pairs, prepend=-1) > 0]
    for members in np.split(pairs % n_groups, np.flatnonzero(np.diff(pairs // n_groups)) + 1):
        if len(members) == 1:
            chosen[members] = False
        elif len(members) and (chosen[members].all() or not chosen[members].any()):
            smallest = members[np.argmin(sizes[members])]
            chosen[smallest] = not chosen[smallest]


def _finest(labels: list[Ints]) -> Ints:
    """(n,) dense number of each row's finest class; rows without any class are one class."""
    finest, offset = np.zeros(len(labels[0]), np.int64), 1
    for level in labels:
        finest = np.where(level >= 0, level + offset, finest)
        offset += int(level.max(initial=-1)) + 1
    return np.unique(finest, return_inverse=True)[1].astype(np.int64)
