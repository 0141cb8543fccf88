"""Named parts of a catalog: the MEP-3M papers' subsets, from editable CSV files of class ids, and any such file of one's own.

A file has a column `subsub_class_id`, `sub_class_id` or `class_id`. With the column of names beside it (`sub_class_name`) a class
is taken only when its name agrees too. A column `rpc_meta` names the supercategories of RPC that a class corresponds to, separated by
semicolons. A column `status` that says "proposed" anywhere makes the subset a proposal, and the
catalog's notes say so. Further columns are for the reader.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from repr.catalog import sheet
from repr.catalog.table import Catalog, ClassName
from repr.errors import UserError, nearest

LEVELS = {"subsub_class_id": 3, "sub_class_id": 2, "class_id": 1}
# Classes and products as printed: Pattern Recognition 140 (2023) 109519, Table 7; of MEP-for-RPC section 7.1.
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
    ids: dict[str, str]  # id → name, "" for any
    archives: tuple[str, ...]  # the sub-classes whose archives hold its images; empty when the file does not say
    proposed: bool
    counterparts: dict[str, tuple[str, ...]] = field(default_factory=dict)  # id → RPC's supercategories (column rpc_meta), where given


@dataclass(frozen=True)
class Listed:
    """A subset that comes with the package: its classes in our list, and its products in the paper."""

    name: str
    level: int
    classes: int
    paper_products: int
    proposed: bool


def names() -> list[str]:
    """The subsets that come with the package."""
    return list(PAPER)


def listing() -> list[Listed]:
    """The subsets that come with the package, with the number of classes in our list and of products in the paper."""
    subsets = {name: load(name) for name in PAPER}
    return [Listed(name, part.level, len(part.ids), PAPER[name][1], part.proposed) for name, part in subsets.items()]


def load(name: str) -> Subset:
    """A subset by its name or by the path of a CSV. Raises UserError for an unknown name or a file without an id column."""
    if name in PAPER:
        file = Path(__file__).parent / "subsets" / f"{name}.csv"
    elif Path(name).is_file():
        file = Path(name)
    elif Path(name).suffix.lower() == ".csv":
        raise UserError("there is no such file", name, "Check the path")
    else:
        raise UserError(
            f"no subset is called {name!r}", "", f"Give a name or a CSV file of class ids. {nearest(name, PAPER)}", argument="subset"
        )
    listed = sheet.read(file, lambda header: not set(LEVELS).isdisjoint(header))
    rows = [row for _, row in listed.rows]
    column = next((c for c in LEVELS if rows and c in listed.columns), None)
    if column is None:
        raise UserError(f"no column {', '.join(LEVELS)} or no rows", name, "Name the column of ids in the first row")
    blank = next((n for n, row in listed.rows if not row[column]), None)
    if blank:
        raise UserError(f"no {column}", f"{name}, row {blank}", "Fill the cell or remove the row")
    ids = {row[column].strip(): (row.get(column.replace("_id", "_name")) or "").strip() for row in rows}
    holder = {3: "parent_id", 2: "sub_class_id", 1: ""}[LEVELS[column]]
    archives = tuple(dict.fromkeys(row[holder].strip() for row in rows if row.get(holder)))
    proposed = any("proposed" in (row.get("status") or "") for row in rows)
    counterparts = {row[column].strip(): tuple(map(str.strip, row["rpc_meta"].split(";"))) for row in rows if row.get("rpc_meta")}
    return Subset(Path(name).stem, LEVELS[column], ids, archives, proposed, counterparts)


def subset(catalog: Catalog, name: str) -> Catalog:
    """The rows of a subset's classes, with the subset's level as default and notes on what is proposed or differs from the paper.

    The ids are MEP-3M's: in a union, sources of other kinds are kept whole. Raises UserError when none of its classes is there.
    """
    part = load(name)
    source = catalog.column("source")
    ours = np.array([s.kind == "mep3m" for s in catalog.sources])
    if not ours.any() and name not in PAPER:
        ours[:] = True  # a list of one's own, for data of one's own
    codes = [code for code, entry in enumerate(catalog.classes[part.level - 1]) if _is_in(part, entry)]
    label = catalog.column(f"class_{part.level}")
    chosen = ours[source] & np.isin(label, codes)
    if not chosen.any():
        raise UserError(f"none of the {len(part.ids)} classes of the subset {part.name} is in it", catalog.name, "Choose another `subset`")
    notes = differences(part, len(np.unique(label[chosen])), int(chosen.sum()))
    return replace(catalog.select(chosen | ~ours[source]), default_level=part.level, notes=(*catalog.notes, *notes))


def _is_in(part: Subset, entry: ClassName) -> bool:
    """Whether a class is listed; its id may carry the prefix of a union."""
    name = part.ids.get(entry.id, part.ids.get(entry.id.rpartition(":")[2]))
    return name is not None and name in ("", entry.name)


def differences(part: Subset, classes: int, rows: int) -> list[str]:
    """What a reader must know of a subset: that it is proposed, and where its counts differ from the list's and the paper's."""
    notes = []
    if part.proposed:
        notes.append(f"subset {part.name}: proposed by us; the paper's list was never published in full")
    if classes != len(part.ids):
        notes.append(f"subset {part.name}: {classes} of its {len(part.ids)} classes occur in these data")
    if part.name in PAPER and (classes, rows) != PAPER[part.name]:
        there, place = PAPER[part.name], "section 7.1" if part.level == 2 else "Table 7"
        notes.append(
            f"subset {part.name}: {classes} classes and {rows:,} products here, {there[0]} and {there[1]:,} in the paper ({place})"
        )
    return notes
