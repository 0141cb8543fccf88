"""A catalog in numbers: the counts that the MEP-3M papers print and draw.

Liu et al., Pattern Recognition 140 (2023) 109519: Table 2 (samples and sub-classes a class), the long-tail curve,
resolutions, title lengths, formats and storage (section 3.3), and the share of records with OCR text (1,404,146 of 3,012,959 = 46.6 %).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from repr.catalog.storage import Storage, storage
from repr.catalog.table import Catalog
from repr.records import Json
from repr.tables import table

BIN = 5  # characters a bar of the title-length histogram


@dataclass(frozen=True)
class ClassRow:
    """A row of Table 2: a level-1 class. ocr: rows with OCR text."""

    id: str
    name: str
    samples: int
    sub_classes: int
    ocr: int


@dataclass(frozen=True)
class Count:
    """How many rows have a value."""

    id: str
    name: str
    samples: int


@dataclass(frozen=True)
class Resolution:
    """How many rows are of one size in pixels, as the records say."""

    width: int
    height: int
    samples: int


@dataclass(frozen=True)
class Titles:
    """Lengths in characters, over the rows that have a title. characters: of all together. histogram: (first length of the bin, rows)."""

    titles: int
    distinct: int
    characters: int
    mean: float
    median: float
    shortest: int
    longest: int
    histogram: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Statistics:
    """All of it. Shares are fractions 0–1."""

    data: str
    synthetic: bool
    rows: int
    images: int
    level: int
    classes: tuple[ClassRow, ...]  # level 1, largest first
    long_tail: tuple[Count, ...]  # classes of `level`, largest first
    resolutions: tuple[Resolution, ...]  # largest first; empty where the source does not say
    titles: Titles | None
    ocr_text: int  # rows with OCR text
    ocr_empty: int  # rows whose OCR is an empty text
    ocr_none: int  # rows without OCR ("FALSE")
    formats: dict[str, int]  # by the ending of the file name
    storage: Storage
    splits: dict[str, int]
    scenes: dict[str, int]  # boxes by level of clutter
    notes: tuple[str, ...]

    @property
    def ocr_share(self) -> float:
        """Share of rows with OCR text."""
        return self.ocr_text / self.rows if self.rows else 0.0

    def as_json(self) -> dict[str, Json]:
        """The object that `repr catalog stats --json` prints."""
        value = asdict(self)
        value["ocr"] = {
            "text": value.pop("ocr_text"),
            "empty": value.pop("ocr_empty"),
            "none": value.pop("ocr_none"),
            "share": self.ocr_share,
        }
        return value

    def lines(self) -> list[str]:
        """The numbers in words and tables."""
        tail = self.long_tail
        counts = [row.samples for row in tail]
        out = [f"{self.data}: {self.rows:,} rows, {self.images:,} images" + (" (synthetic, not real)" if self.synthetic else ""), ""]
        if self.classes:
            rows = [[row.name, f"{row.samples:,}", f"{100 * row.samples / self.rows:.2f}", str(row.sub_classes)] for row in self.classes]
            out += [table(["class", "samples", "%", "sub-classes"], rows), ""]
        out.append(
            f"level {self.level}: {len(tail)} classes; largest {tail[0].name} {counts[0]:,}, median {np.median(counts):,.0f}, "
            f"smallest {tail[-1].name} {counts[-1]:,}; ratio {counts[0] / counts[-1]:,.0f}"
        )
        sizes = [f"{r.width}×{r.height} {100 * r.samples / self.rows:.1f} %" for r in self.resolutions[:5]]
        more = f", {len(self.resolutions) - 5} others" if len(self.resolutions) > 5 else ""
        out.append(f"resolutions: {', '.join(sizes)}{more}" if sizes else "resolutions: the source does not say")
        if self.titles:
            t = self.titles
            out.append(
                f"titles: {t.titles:,}, {t.distinct:,} of them distinct; {t.characters:,} characters, {t.shortest} to {t.longest} each, "
                f"mean {t.mean:.1f}, median {t.median:.0f}"
            )
        out.append(f"OCR: text on {100 * self.ocr_share:.1f} %; {self.ocr_empty:,} empty, {self.ocr_none:,} without")
        shares = ", ".join(f"{name} {n:,} ({100 * n / self.rows:.2f} %)" for name, n in self.formats.items())
        out += [f"formats: {shares}", self.storage.line()]
        if self.scenes:
            out.append("boxes in scenes: " + ", ".join(f"{name} {n:,}" for name, n in self.scenes.items()))
        return out


def statistics(catalog: Catalog, level: int | None = None) -> Statistics:
    """The numbers of a catalog. `level`: of the long-tail curve; default: the catalog's own. Raises UserError without labels there."""
    level = level or catalog.default_level
    labels, names = catalog.labels(level)
    counts = np.bincount(labels[labels >= 0], minlength=len(names))
    order, ids = np.argsort(-counts, kind="stable"), class_ids(catalog, level)
    ocr = catalog.table["ocr"]
    empty = int(pc.sum(pc.equal(ocr, "")).as_py() or 0)
    return Statistics(
        data=catalog.name,
        synthetic=catalog.synthetic,
        rows=len(catalog),
        images=len(np.unique(catalog.photographs())),
        level=level,
        classes=_classes(catalog),
        long_tail=tuple(Count(ids[i], names[i], int(counts[i])) for i in order),
        resolutions=_resolutions(catalog),
        titles=_titles(catalog),
        ocr_text=len(catalog) - ocr.null_count - empty,
        ocr_empty=empty,
        ocr_none=ocr.null_count,
        formats=_tally(_formats(catalog)),
        storage=storage(catalog),
        splits=_tally(catalog.table["split"]),
        scenes=_tally(catalog.table["scene"].drop_null()),
        notes=catalog.notes,
    )


def _formats(catalog: Catalog) -> pa.ChunkedArray:
    """(n,) the ending of each file's name, in small letters; "none" for names without one."""
    names = pc.replace_substring_regex(catalog.table["path"], r"^.*/", "")
    endings = pc.utf8_lower(pc.replace_substring_regex(names, r"^.*\.", ""))
    return pc.if_else(pc.match_substring_regex(names, r".\.[^.]+$"), endings, "none")


def class_ids(catalog: Catalog, level: int) -> list[str]:
    """The ids of the classes that `catalog.labels(level)` names, in its order."""
    codes = catalog.column(f"class_{level}").astype(np.int64)
    entries = list(catalog.classes[level - 1])
    if level == 3:
        second = catalog.column("class_2").astype(np.int64)
        codes = np.where((codes < 0) & (second >= 0), second + len(entries), codes)
        entries += list(catalog.classes[1])
    return [entries[code].id for code in np.unique(codes[codes >= 0])]


def _classes(catalog: Catalog) -> tuple[ClassRow, ...]:
    first, second = catalog.column("class_1"), catalog.column("class_2")
    text = np.asarray(pc.fill_null(pc.not_equal(catalog.table["ocr"], ""), False).to_numpy(zero_copy_only=False))
    n = len(catalog.classes[0])
    known = first >= 0
    samples = np.bincount(first[known], minlength=n)
    with_text = np.bincount(first[known & text], minlength=n)
    both = known & (second >= 0)
    width = len(catalog.classes[1])
    subs = (np.bincount(first[both] * width + second[both], minlength=n * width).reshape(n, width) > 0).sum(axis=1)
    order = [code for code in np.argsort(-samples, kind="stable") if samples[code]]
    entries = catalog.classes[0]
    return tuple(ClassRow(entries[c].id, entries[c].name, int(samples[c]), int(subs[c]), int(with_text[c])) for c in order)


def _resolutions(catalog: Catalog) -> tuple[Resolution, ...]:
    sizes = catalog.table.select(["width", "height"]).drop_null()
    counts = sizes.group_by(["width", "height"]).aggregate([([], "count_all")]).to_pylist()
    rows = [Resolution(row["width"], row["height"], row["count_all"]) for row in counts]
    return tuple(sorted(rows, key=lambda r: (-r.samples, r.width, r.height)))


def _titles(catalog: Catalog) -> Titles | None:
    titles = catalog.table["title"].drop_null()
    if not len(titles):
        return None
    lengths = np.asarray(pc.utf8_length(titles).to_numpy()).astype(np.int64)
    bars = np.bincount(lengths // BIN)
    return Titles(
        titles=len(lengths),
        distinct=int(pc.count_distinct(titles).as_py()),
        characters=int(lengths.sum()),
        mean=float(lengths.mean()),
        median=float(np.median(lengths)),
        shortest=int(lengths.min()),
        longest=int(lengths.max()),
        histogram=tuple((i * BIN, int(n)) for i, n in enumerate(bars)),
    )


def _tally(column: pa.ChunkedArray) -> dict[str, int]:
    counts = {row["values"]: row["counts"] for row in column.value_counts().to_pylist()}
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
