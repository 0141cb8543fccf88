"""Named parts of a catalog: the MEP-3M papers' subsets, from editable CSV files of class ids, and any such file of one's own.

A file has a first column `sub_class_id` or `subsub_class_id` (or `class_id`); further columns are for the reader. A column
`status` that says "proposed" anywhere makes the whole subset a proposal, and the catalog's notes say so.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import numpy as np

from repr.catalog.table import Catalog
from repr.console import nearest
from repr.errors import UserError

LEVELS = {"class_id": 1, "sub_class_id": 2, "subsub_class_id": 3}
# Classes and products as printed: Pattern Recognition 140 (2023) 109519, Table 7.
PAPER = {
    "mep-for-rpc": (26, 118_170),
    "outdoors": (17, 82_187),
    "meats": (18, 68_102),
    "accessories": (7, 34_168),
    "jewelries": (12, 28_193),
}


@dataclass(frozen=True)
class Subset:
    """A list of class ids on one level."""

    name: str
    level: int
    ids: tuple[str, ...]
    proposed: bool


def names() -> list[str]:
    """The subsets that come with the package."""
    return list(PAPER)


def load(name: str) -> Subset:
    """A subset by its name or by the path of a CSV. Raises UserError for an unknown name or a file without an id column."""
    if name in PAPER:
        file = resources.files("repr.catalog").joinpath("subsets", f"{name}.csv")
        text, where = file.read_text(encoding="utf-8"), name
    elif Path(name).is_file():
        text, where = _text(Path(name)), name
    else:
        raise UserError(f"no subset is called {name!r}", "--subset", f"{nearest(name, PAPER)} Or give a CSV file of class ids")
    rows = list(csv.DictReader(text.splitlines()))
    column = next((c for c in LEVELS if rows and c in rows[0]), None)
    if column is None:
        raise UserError(f"no column {', '.join(LEVELS)} or no rows", where, "Name the column of ids in the first row")
    blank = next((n for n, row in enumerate(rows, 2) if not (row[column] or "").strip()), None)
    if blank:
        raise UserError(f"no {column}", f"{where}, row {blank}", "Fill the cell or remove the row")
    ids = tuple(dict.fromkeys(row[column].strip() for row in rows))
    return Subset(Path(name).stem, LEVELS[column], ids, any("proposed" in (row.get("status") or "") for row in rows))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"not UTF-8 at byte {error.start}", path, "Save the file as UTF-8") from None


def subset(catalog: Catalog, name: str) -> Catalog:
    """The rows of a subset's classes, with the subset's level as default and notes on what is proposed or differs from the paper.

    Raises UserError when none of its classes is in the catalog.
    """
    part = load(name)
    wanted = set(part.ids)
    entries = catalog.classes[part.level - 1]
    code_of = {code: entry.id.rpartition(":")[2] for code, entry in enumerate(entries)}
    codes = [code for code, id_ in code_of.items() if id_ in wanted]
    rows = np.flatnonzero(np.isin(catalog.column(f"class_{part.level}"), codes))
    if not len(rows):
        raise UserError(
            f"none of the {len(wanted)} classes of the subset {part.name} is in these data", catalog.name, "Choose another --subset"
        )
    chosen = catalog.select(rows)
    present = {code_of[code] for code in np.unique(chosen.column(f"class_{part.level}")).tolist()}
    notes = differences(part, len(present), len(rows))
    return replace(chosen, default_level=part.level, notes=(*catalog.notes, *notes))


def differences(part: Subset, classes: int, rows: int) -> list[str]:
    """What a reader must know of a subset: that it is proposed, and where its counts differ from the list's and the paper's."""
    notes = []
    if part.proposed:
        notes.append(f"subset {part.name}: proposed by us; the paper's list was never published in full")
    if classes != len(part.ids):
        notes.append(f"subset {part.name}: {classes} of its {len(part.ids)} classes occur in these data")
    if part.name in PAPER and (classes, rows) != PAPER[part.name]:
        there = PAPER[part.name]
        notes.append(
            f"subset {part.name}: {classes} classes and {rows:,} products here, {there[0]} and {there[1]:,} in the paper (Table 7)"
        )
    return notes
