"""What a catalog holds, for the eye: sources, classes, splits and its first rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from repr.catalog.table import Catalog
from repr.errors import UserError, nearest
from repr.records import Json, to_json
from repr.tables import table

LONGEST = 40  # characters of a cell in the printed table


@dataclass(frozen=True)
class ShownSource:
    """Where records come from, and how many do. kind: the reader's name."""

    name: str
    kind: str
    root: str
    synthetic: bool
    records: int


@dataclass(frozen=True)
class Shown:
    """A summary of a catalog and some of its rows, each with class names in place of codes.

    labels: classes of `level`, as `Catalog.labels` counts them. classes, occur: those in the table and those with a row, on levels 1 to 3.
    splits: records by split.
    """

    data: str
    synthetic: bool
    records: int
    level: int
    labels: int
    sources: tuple[ShownSource, ...]
    classes: tuple[int, ...]
    occur: tuple[int, ...]
    splits: dict[str, int]
    notes: tuple[str, ...]
    rows: tuple[dict[str, Json], ...]

    def as_json(self) -> Mapping[str, Json]:
        """The object that `repr catalog show --json` prints."""
        shown = to_json(self)
        assert isinstance(shown, Mapping)
        return shown

    def lines(self) -> list[str]:
        """The same in words."""
        out = [f"{self.records:,} records of {self.data}" + (" (synthetic, not real)" if self.synthetic else "")]
        out += [f"  source {s.name} ({s.kind}): {s.records:,} records under {s.root}" for s in self.sources]
        out.append("  classes on levels 1, 2, 3: {}, {}, {} occur, of {}, {}, {} in the table".format(*self.occur, *self.classes))
        splits = ", ".join(f"{name or 'none'} {n:,}" for name, n in self.splits.items())
        out.append(f"  default level {self.level}; split: {splits}")
        if not self.rows:
            return out
        columns = [name for name in self.rows[0] if any(row[name] not in (None, "") for row in self.rows)]
        if all(row["product"] == row["path"] for row in self.rows):
            columns.remove("product")
        cells = [[_cell(row[name]) for name in columns] for row in self.rows]
        return [*out, "", table(columns, cells)]


def _cell(value: Json) -> str:
    if value is None:
        return ""
    text = " ".join(f"{number:g}" for number in value) if isinstance(value, list) else " ".join(str(value).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def show(catalog: Catalog, *, rows: int, level: int | None = None, wanted: str | None = None) -> Shown:
    """A summary of the catalog, and the first `rows` rows; of one class of `level`, by name or id, when `wanted` is given.

    Raises UserError for an unknown class.
    """
    level = level or catalog.default_level
    names = catalog.labels(level)[1]
    names_of_splits, counts = np.unique(catalog.column("split").astype(str), return_counts=True)
    of_source = np.bincount(catalog.column("source"), minlength=len(catalog.sources))
    picked = np.arange(len(catalog))
    if wanted is not None:
        picked = np.flatnonzero(np.isin(catalog.column(f"class_{level}"), _codes(catalog, level, wanted)))
    return Shown(
        data=catalog.name,
        synthetic=catalog.synthetic,
        records=len(catalog),
        level=level,
        labels=len(names),
        sources=tuple(
            ShownSource(s.name, s.kind, str(s.root), s.synthetic, int(n)) for s, n in zip(catalog.sources, of_source, strict=True)
        ),
        classes=tuple(len(entries) for entries in catalog.classes),
        occur=tuple(len(np.setdiff1d(catalog.column(f"class_{n}"), [-1])) for n in (1, 2, 3)),
        splits={str(name): int(n) for name, n in zip(names_of_splits, counts, strict=True)},
        notes=catalog.notes,
        rows=tuple(_row(catalog, row) for row in catalog.select(picked[:rows]).table.to_pylist()),
    )


def _codes(catalog: Catalog, level: int, wanted: str) -> list[int]:
    entries = catalog.classes[level - 1]
    codes = [code for code, entry in enumerate(entries) if wanted in (entry.id, entry.name)]
    if not codes:
        known = [entry.name for entry in entries]
        remedy = nearest(wanted, known) if len(known) <= 30 else "Give the name or id of a class of that level, or another `level`"
        raise UserError(f"no class {wanted!r} on level {level}", catalog.name, remedy)
    return codes


def _row(catalog: Catalog, row: dict[str, Any]) -> dict[str, Json]:
    """A row of the table as Python has it, with names for codes."""
    for level, entries in enumerate(catalog.classes, 1):
        code = row[f"class_{level}"]
        row[f"class_{level}"] = entries[code].name if code >= 0 else None
    row["source"] = catalog.sources[row["source"]].name
    return row
