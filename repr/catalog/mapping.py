"""The mapping file: which classes become one, under which name. Proposed by `align`, edited by a person, applied to a catalog.

A CSV (or JSON with the same fields) of one row a class. Read back are `level`, `id`, `merged_name` and `merged_class`; the others are
for the eye. Classes of one level with the same merged name under the same class become one; an empty merged name leaves a class as
it is. `merged_class` names the class above; empty for the class it stands under.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from repr.arrays import Bools, Ints
from repr.catalog import sheet
from repr.catalog.align import Alignment, Label
from repr.catalog.table import Catalog, ClassName
from repr.commands import command_line
from repr.errors import UserError
from repr.files import read_json, replacing, write_json
from repr.records import Scalar

VERSION = 1
NEEDED = ("level", "id", "merged_name")
COLUMNS = ("level", "id", "name", "class", "merged_name", "merged_class", "products", "nearest", "s_label", "s_content")


@dataclass(frozen=True)
class Entry:
    """A class and the name it gets. name: as the file says it, "" when it does not. where: its place in the file."""

    id: str
    name: str
    merged_name: str
    merged_class: str
    where: str


@dataclass(frozen=True)
class Mapping:
    """The entries of one level that have a merged name."""

    level: int
    entries: tuple[Entry, ...]


def rows(alignment: Alignment) -> list[dict[str, Scalar]]:
    """The mapping file's rows: every class that has a candidate (S_label at its threshold), with its nearest one.

    Proposed classes have their merged name filled in, the others have it empty.
    """
    nearest: dict[Label, tuple[Label, float, float | None]] = {}
    for pair in alignment.pairs:  # proposed ones first, then by S_label
        if pair.proposed is not None or pair.s_label >= alignment.s_label:
            nearest.setdefault(pair.a, (pair.b, pair.s_label, pair.s_content))
            nearest.setdefault(pair.b, (pair.a, pair.s_label, pair.s_content))
    head = {label: max(group, key=lambda one: (one.products, -one.code)) for group in alignment.groups() for label in group}
    made: list[dict[str, Scalar]] = []
    for label in sorted(nearest, key=lambda one: (one.parent, head[one].name if one in head else one.name, one.code)):
        other, s_label, s_content = nearest[label]
        merged = head.get(label)
        made.append(
            {
                "level": alignment.level,
                "id": label.id,
                "name": label.name,
                "class": label.parent,
                "merged_name": merged.name if merged else "",
                "merged_class": merged.parent if merged else "",
                "products": label.products,
                "nearest": other.name,
                "s_label": round(s_label, 4),
                "s_content": None if s_content is None else round(s_content, 4),
            }
        )
    return made


def write(path: Path, alignment: Alignment) -> Path:
    """Write the mapping file, CSV or JSON by the ending of its name, whole or not at all."""
    path = Path(path)
    if path.suffix.lower() == ".json":
        write_json(path, {"version": VERSION, "mapping": rows(alignment)})
    elif path.suffix.lower() == ".csv":
        with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8-sig") as stream:  # BOM: for spreadsheets
            writer = csv.DictWriter(stream, COLUMNS)
            writer.writeheader()
            writer.writerows(rows(alignment))
    else:
        raise UserError(f"not a kind of mapping file ({path.suffix or 'no ending'})", path, "Name it .csv or .json")
    return path


def read(path: Path) -> Mapping:
    """Read a mapping file. Raises UserError for a missing column, a level that is none, two levels, or a class given twice."""
    path = Path(path)
    if path.suffix.lower() == ".json":
        content = read_json(path)
        if not isinstance(content, dict) or not isinstance(content.get("mapping"), list):
            raise UserError("no mapping in it", path, 'Give a file with {"mapping": [...]}, as aligning writes it')
        if content.get("version", VERSION) > VERSION:
            raise UserError(f"written by a newer version ({content['version']} > {VERSION})", path, "Update the package")
        given, places = content["mapping"], [f"{path}, entry {i + 1}" for i in range(len(content["mapping"]))]
    else:
        given, places = _csv(path)
    entries: dict[str, Entry] = {}
    levels = set()
    for row, where in zip(given, places, strict=True):
        if not isinstance(row, dict) or any(row.get(name) is None for name in NEEDED):
            raise UserError(f"a row needs {', '.join(NEEDED)}", where, "Fill the columns as aligning writes them")
        values = {name: str(row.get(name) or "").strip() for name in (*NEEDED, "name", "merged_class")}
        if values["level"] not in ("1", "2", "3"):
            raise UserError(f"level {values['level']!r}", where, "Give 1, 2 or 3")
        if not values["merged_name"]:
            continue
        if values["id"] in entries:
            raise UserError(f"class {values['id']} is there twice", where, "Keep one of the rows")
        levels.add(int(values["level"]))
        entries[values["id"]] = Entry(values["id"], values["name"], values["merged_name"], values["merged_class"], where)
    if not entries:
        raise UserError("no class has a merged name", path, "Fill merged_name for the classes to merge")
    if len(levels) > 1:
        raise UserError("classes of several levels", path, "Make one mapping file a level and apply one after the other")
    return Mapping(levels.pop(), tuple(entries.values()))


def _csv(path: Path) -> tuple[list[dict[str, str]], list[str]]:
    if not path.exists():
        raise UserError("there is no such file", path, f"Make one with `{command_line('repr catalog align', 'DATA', out=path)}`")
    listed = sheet.read(path, set(NEEDED).issubset)
    missing = [name for name in NEEDED if name not in listed.columns]
    if missing:
        raise UserError(f"no column {', '.join(missing)}", path, f"The first row names the columns: {', '.join(COLUMNS)}")
    return [row for _, row in listed.rows], [f"{path}, row {n}" for n, _ in listed.rows]


def apply(catalog: Catalog, mapping: Mapping) -> Catalog:
    """The catalog with the mapped classes merged: fewer classes, the same rows, and a note that says so.

    The one with most products gives the merged class its id. A class that has the merged name already joins them. Classes above of
    the same name are merged too where theirs below are; else those below move under the class that `merged_class` names, or
    that of the largest. Raises UserError for a class that is not there, has another name here, or is to go under one that is not there.
    """
    level = mapping.level - 1
    groups = _groups(catalog, mapping)
    targets = [np.arange(len(entries)) for entries in catalog.classes]
    classes = [list(entries) for entries in catalog.classes]
    products = _products(catalog, level)
    for (name, parent), members in groups.items():
        largest = max(members, key=lambda code: (products[code], -code))
        targets[level][members] = largest
        classes[level][largest] = ClassName(classes[level][largest].id, name, parent)
    _join_parents(catalog, classes, targets, groups, level)
    fewer = int((targets[level] != np.arange(len(targets[level]))).sum())
    note = f"aligned by a mapping of {len(mapping.entries)} classes of level {mapping.level}, now {fewer} fewer"
    moved = np.concatenate([np.asarray(members) for members in groups.values()])
    return _recoded(catalog, classes, targets, np.isin(catalog.column(f"class_{mapping.level}"), moved), level, note)


def _groups(catalog: Catalog, mapping: Mapping) -> dict[tuple[str, int], list[int]]:
    """(merged name, code of the class above) → codes of the classes to merge, those that have the name already among them."""
    level = mapping.level - 1
    entries = catalog.classes[level]
    above = catalog.classes[level - 1] if level else ()
    codes = {entry.id: code for code, entry in enumerate(entries)}
    products = _products(catalog, level)
    named: dict[tuple[str, str], list[tuple[int, Entry]]] = {}
    for entry in mapping.entries:
        if entry.id not in codes:
            raise UserError(f"no class {entry.id} on level {mapping.level} of {catalog.name}", entry.where, "Give the ids of this catalog")
        code = codes[entry.id]
        if entry.name and entry.name != entries[code].name:
            raise UserError(
                f"class {entry.id} is called {entries[code].name!r} here, not {entry.name!r}", entry.where, "Align these data anew"
            )
        parent = above[entries[code].parent].name if above and entries[code].parent >= 0 else ""
        wanted = entry.merged_class or parent
        if entry.merged_class and wanted not in {one.name for one in above}:
            raise UserError(f"no class {wanted!r} on level {mapping.level - 1}", entry.where, "Name a class above that is there")
        named.setdefault((entry.merged_name, wanted), []).append((code, entry))
    groups: dict[tuple[str, int], list[int]] = {}
    mapped = {codes[entry.id] for entry in mapping.entries}
    for (name, wanted), members in named.items():
        inside = [code for code, _ in members]
        inside += [
            code
            for code, one in enumerate(entries)
            if code not in mapped and one.name == name and (above[one.parent].name if above and one.parent >= 0 else "") == wanted
        ]
        fitting = [code for code in inside if above and entries[code].parent >= 0 and above[entries[code].parent].name == wanted]
        if fitting:
            parent_code = entries[max(fitting, key=lambda code: (products[code], -code))].parent
        else:
            parent_code = next((code for code, one in enumerate(above) if wanted and one.name == wanted), -1)
        groups[name, parent_code] = inside
    return groups


def _products(catalog: Catalog, level: int) -> Ints:
    """Rows of every class of a level (position from 0)."""
    codes = catalog.column(f"class_{level + 1}").astype(np.int64)
    return np.bincount(codes[codes >= 0], minlength=len(catalog.classes[level]))


def _join_parents(
    catalog: Catalog,
    classes: list[list[ClassName]],
    targets: list[Ints],
    groups: dict[tuple[str, int], list[int]],
    level: int,
) -> None:
    """Merge the classes above of one name whose classes below were merged, and so on upwards; changes `classes` and `targets`."""
    joined = [(parent, [catalog.classes[level][code].parent for code in members]) for (_, parent), members in groups.items()]
    for upper in range(level - 1, -1, -1):
        entries = catalog.classes[upper]
        following = []
        for parent, others in joined:
            if parent < 0:
                continue
            same = {code for code in others if code >= 0 and entries[code].name == entries[parent].name} | {parent}
            roots = {int(targets[upper][code]) for code in same}
            root = min(roots)
            targets[upper][np.isin(targets[upper], list(roots))] = root
            following.append((entries[root].parent, [entries[code].parent for code in same]))
        joined = following


def _recoded(
    catalog: Catalog,
    classes: list[list[ClassName]],
    targets: list[Ints],
    moved: Bools,
    level: int,
    note: str,
) -> Catalog:
    """The catalog with every class replaced by its target and the rest renumbered; `moved` rows stand under their class's parent."""
    table = catalog.table
    codes: list[Ints] = []
    renumbered: list[tuple[ClassName, ...]] = []
    numbers: list[Ints] = []
    for i, (entries, target) in enumerate(zip(classes, targets, strict=True)):
        remaining = np.flatnonzero(target == np.arange(len(target)))
        number = np.searchsorted(remaining, target)
        above = numbers[-1] if numbers else None
        shown = [entries[code] for code in remaining]
        renumbered.append(
            tuple(ClassName(e.id, e.name, int(above[e.parent]) if above is not None and e.parent >= 0 else e.parent) for e in shown)
        )
        numbers.append(number)
        given = catalog.column(f"class_{i + 1}").astype(np.int64)
        codes.append(np.where(given >= 0, np.append(number, -1)[given], -1))
    for upper in range(level - 1, -1, -1):
        parents = np.array([*(entry.parent for entry in renumbered[upper + 1]), -1], dtype=np.int64)[codes[upper + 1]]
        codes[upper] = np.where(moved & (parents >= 0), parents, codes[upper])
    for i, column in enumerate(codes):
        at = table.schema.get_field_index(f"class_{i + 1}")
        table = table.set_column(at, table.schema.field(at), pa.array(column, type=pa.int32()))
    first, second, third = renumbered
    return replace(catalog, table=table, classes=(first, second, third), notes=(*catalog.notes, note))
