"""Other names for classes, such as English ones, from a user's table: the figures and tables then speak that language.

    sub_class_id,name
    305,leisure snacks

A CSV file in UTF-8. Its ids stand in `class_id`, `sub_class_id` and `subsub_class_id`, of which the deepest that is filled in says which
class a row names, so that one file may name all levels; the names in `name`, `name_en` or `class_name_en`. Further columns are for the
reader.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from repr.catalog import sheet
from repr.catalog.parts import LEVELS
from repr.catalog.table import Catalog, ClassName
from repr.errors import UserError

NAMES = ("name", "name_en", "class_name_en")
NONE = frozenset({"", "false"})  # as MEP-3M writes that there is no class on a level
Table = dict[tuple[int, str], str]  # level and id → name


def translated(catalog: Catalog, file: Path) -> Catalog:
    """The catalog with a table's names of its classes; ids and labels stay. A note counts classes without a name in the table, which keep
    their own, and names of classes that are not among the data.

    Raises UserError as `read`, and where the table names none of the classes.
    """
    table = read(file)
    used: set[tuple[int, str]] = set()
    levels = [tuple(_named(one, level, table, used) for one in entries) for level, entries in enumerate(catalog.classes, 1)]
    if not used:
        raise UserError("names none of the classes of these data", file, f"Check its ids; a class of these data is {_example(catalog)}")
    first, second, third = levels
    notes = [f"{file.name}: names taken of {len(used)} classes"]
    bare = [one for level in _present(catalog) for one in level if one not in used]
    if bare:
        level, identity = bare[0]
        notes.append(f"classes without a name there, which keep their own: {len(bare)}, such as {identity} of level {level}")
    if len(table) > len(used):
        notes.append(f"names there of no class among the data: {len(table) - len(used)}")
    return replace(catalog, classes=(first, second, third), notes=(*catalog.notes, "; ".join(notes)))


def read(file: Path) -> Table:
    """The names of a table. Raises UserError for a file that is no such table, an id without a name or twice."""
    listed = sheet.read(file, lambda header: not set(LEVELS).isdisjoint(header))
    column = next((name for name in NAMES if name in listed.columns), None)
    if column is None or not set(LEVELS) & set(listed.columns) or not listed.rows:
        wanted = f"one of {', '.join(LEVELS)}, and one of {', '.join(NAMES)}"
        raise UserError("no column of ids, none of names, or no rows", file, f"Name the columns in the first row: {wanted}")
    table: Table = {}
    where: dict[tuple[int, str], int] = {}
    for number, line in listed.rows:
        key, name = _key(line), (line.get(column) or "").strip()
        if key is None:
            raise UserError("no id of a class", f"{file}, row {number}", "Fill the cell or remove the row")
        if not name:
            raise UserError(f"no name for class {key[1]}", f"{file}, row {number}", "Fill the cell or remove the row")
        if key in table:
            raise UserError(f"class {key[1]} a second time, first in row {where[key]}", f"{file}, row {number}", "Name each class once")
        table[key], where[key] = name, number
    return table


def _key(line: Mapping[str, str | None]) -> tuple[int, str] | None:
    """Level and id of the class that a row names: the deepest that is filled in."""
    for column, level in LEVELS.items():
        identity = (line.get(column) or "").strip()
        if identity.casefold() not in NONE:
            return level, identity
    return None


def _named(one: ClassName, level: int, table: Table, used: set[tuple[int, str]]) -> ClassName:
    """A class with the table's name, which `used` notes; its id may carry the prefix of a union."""
    for identity in (one.id, one.id.rpartition(":")[2]):
        if (level, identity) in table:
            used.add((level, identity))
            return replace(one, name=table[level, identity])
    return one


def _present(catalog: Catalog) -> list[list[tuple[int, str]]]:
    """Level and id, without the prefix of a union, of the classes that rows have."""
    ids = []
    for level, entries in enumerate(catalog.classes, 1):
        codes = dict.fromkeys(int(code) for code in catalog.column(f"class_{level}") if code >= 0)
        ids.append(list(dict.fromkeys((level, entries[code].id.rpartition(":")[2]) for code in sorted(codes))))
    return ids


def _example(catalog: Catalog) -> str:
    level, identity = next(one for level in _present(catalog) for one in level)
    return f"{identity} of level {level}"
