"""Several catalogs as one: class ids prefixed by the source's name, codes shifted, levels brought to the same depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from repr.arrays import Array
from repr.catalog.passed import summed
from repr.catalog.table import Catalog, ClassName, Source
from repr.commands import command_line


def union(catalogs: Sequence[Catalog]) -> Catalog:
    """The rows of all catalogs, one after the other. One catalog comes back as it is.

    Sources of one name get -2, -3, …; the default level is the deepest of all, and a source of fewer levels repeats its
    last class down to it, so that every row has a label there.
    """
    if len(catalogs) == 1:
        return catalogs[0]
    level = max(catalog.default_level for catalog in catalogs)
    sources: list[Source] = []
    classes: list[list[ClassName]] = [[], [], []]
    tables: list[pa.Table] = []
    notes: list[str] = []
    for catalog in catalogs:
        catalog = deepened(catalog, level)
        renamed = [replace(source, name=_free(source.name, sources)) for source in catalog.sources]
        prefix = "" if len(renamed) > 1 else f"{renamed[0].name}:"  # a catalog that is a union has its prefixes already
        table, shift = catalog.table, [len(entries) for entries in classes]
        table = _set(table, "source", pc.add(table["source"], pa.scalar(len(sources), pa.int16())))
        for i, entries in enumerate(catalog.classes):
            name = f"class_{i + 1}"
            shifted = pc.if_else(pc.greater_equal(table[name], 0), pc.add(table[name], pa.scalar(shift[i], pa.int32())), table[name])
            table = _set(table, name, shifted)
            above = shift[i - 1] if i else 0
            classes[i] += [ClassName(f"{prefix}{c.id}", c.name, c.parent + above if c.parent >= 0 else -1) for c in entries]
        sources += renamed
        tables.append(table)
        notes += [f"{'+'.join(source.name for source in renamed)}: {note}" for note in catalog.notes]
    same = _same_names(classes[level - 1])
    if same:
        aligned = command_line("repr catalog align", *(source.root for source in sources), out="mapping.csv")
        notes.append(f"{same} class names stand in several sources and stay apart; to make them one begin with: {aligned}")
    first, second, third = (tuple(entries) for entries in classes)
    passed = summed(catalog.passed_over for catalog in catalogs)
    return Catalog(pa.concat_tables(tables), (first, second, third), tuple(sources), level, tuple(notes), passed)


def _same_names(entries: Sequence[ClassName]) -> int:
    """How many names several classes of a level have, each from a source of its own. Names of one source may repeat under two classes."""
    sources: dict[str, set[str]] = {}
    for entry in entries:
        sources.setdefault(entry.name, set()).add(entry.id.partition(":")[0])
    return sum(len(owners) > 1 for name, owners in sources.items() if name)


def deepened(catalog: Catalog, level: int) -> Catalog:
    """The catalog with its default level's classes repeated on the levels down to `level`."""
    while catalog.default_level < level:
        depth = catalog.default_level
        above = catalog.classes[depth - 1]
        classes = list(catalog.classes)
        classes[depth] = tuple(ClassName(c.id, c.name, code) for code, c in enumerate(above))
        table = _set(catalog.table, f"class_{depth + 1}", catalog.table[f"class_{depth}"])
        catalog = replace(catalog, table=table, classes=(classes[0], classes[1], classes[2]), default_level=depth + 1)
    return catalog


def _set(table: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    i = table.schema.get_field_index(name)
    return table.set_column(i, table.schema.field(i), column)


def _free(name: str, taken: Sequence[Source]) -> str:
    names = {source.name for source in taken}
    if name not in names:
        return name
    return next(f"{name}-{n}" for n in range(2, len(names) + 3) if f"{name}-{n}" not in names)


def with_split(catalog: Catalog, split: Array) -> Catalog:
    """The catalog with another split column: (n,) text."""
    return replace(catalog, table=_set(catalog.table, "split", pa.chunked_array([pa.array(split.tolist(), pa.string())])))
