"""A CSV file as rows of named cells, strictly: whatever does not fit is an error with the number of its row.

Row numbers are those of a spreadsheet: the first line is row 1, and a line within quotes does not count.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from repr.errors import UserError

DELIMITERS = ",;\t"
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # what Excel saves as "Unicode text"
Row = dict[str, str]


@dataclass(frozen=True)
class Sheet:
    """columns: the header as it is, without blanks at the ends of a name. rows: (number, cells by column name)."""

    columns: tuple[str, ...]
    rows: tuple[tuple[int, Row], ...]


def read(path: Path, fits: Callable[[Sequence[str]], object], *, expected: str = "") -> Sheet:
    """Read a CSV in UTF-8, or UTF-16 with a mark, with commas, semicolons or tabs; a line `sep=;` before the header is obeyed.

    fits: whether a header is the one wanted, which tells the delimiter. expected: the columns wanted, in words. Raises UserError for a
    doubled column, a row of more or fewer cells than columns, a stray quote, another encoding, and a file without rows. Empty lines do
    not count, nor do empty cells too many.
    """
    lines = _text(path).splitlines(keepends=True)
    begin, named = 0, ""
    if lines and lines[0].strip().strip('"').lower().startswith("sep="):
        begin, named = 1, lines[0].strip().strip('"')[4:5]
        named = named or "\t"  # its tab went with the blanks
    if len(lines) <= begin or not lines[begin].strip():
        raise UserError("the first line is empty", path, "Name the columns in it")
    reader = csv.reader(io.StringIO("".join(lines[begin:]), newline=""), delimiter=named or _delimiter(lines[begin], fits), strict=True)
    number, rows = begin, list[tuple[int, Row]]()
    columns: list[str] = []
    try:
        for cells in reader:
            number += 1
            if not columns:
                columns = _header(cells, path, expected)
            elif any(cell.strip() for cell in cells):
                rows.append((number, _row(cells, columns, f"{path}, row {number}")))
    except csv.Error as error:
        raise UserError(f"not a readable CSV ({error})", f"{path}, row {number + 1}", "Mend the quotes in this row") from None
    return Sheet(tuple(columns), tuple(rows))


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError("there is no such file", path, "Check the path") from None
    try:
        text = data.decode("utf-16" if data.startswith(UTF16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"not UTF-8 at byte {error.start}", path, "Save the file as UTF-8") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UserError("a zero byte: the file is damaged, or UTF-16 without its mark", f"{path}, line {line}", "Save the file as UTF-8")
    return text


def _delimiter(header: str, fits: Callable[[Sequence[str]], object]) -> str:
    """The delimiter by which the header fits, else the most frequent one."""
    for mark in sorted(DELIMITERS, key=header.count, reverse=True):
        if fits([cell.strip() for cell in next(csv.reader([header], delimiter=mark))]):
            return mark
    return max(DELIMITERS, key=header.count)


def _header(cells: list[str], path: Path, expected: str) -> list[str]:
    columns = [cell.strip() for cell in cells]
    twice = [name for name, n in Counter(columns).items() if n > 1 and name]
    if twice:
        raise UserError(
            f"the column {', '.join(map(repr, twice))} stands twice", path, ". ".join(filter(None, ["Keep one of them", expected]))
        )
    return columns


def _row(cells: list[str], columns: list[str], where: str) -> Row:
    while len(cells) > len(columns) and not cells[-1].strip():
        cells = cells[:-1]
    if len(cells) != len(columns):
        remedy = "Put quotes around a cell that holds the delimiter" if len(cells) > len(columns) else "Fill in the empty cells"
        raise UserError(f"{len(cells)} cells, where the first row names {len(columns)} columns", where, remedy)
    return {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}
