"""Plain text tables."""

from __future__ import annotations

import shutil
import sys
from unicodedata import east_asian_width


def table(header: list[str], rows: list[list[str]], *, room: int | None = None) -> str:
    """A plain text table: first column left, the others right; wide characters count double.

    room: characters in a line, by default those of the terminal, if it is one. Columns that do not fit are left out from the
    right, never the first two, and a last line names them: put what matters on the left.
    """

    def _width(text: str) -> int:
        return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)

    lines = [header, *rows]
    widths = [max(_width(line[i]) for line in lines) for i in range(len(header))]
    room = room or _room()
    shown = len(header)
    while room and shown > 2 and sum(widths[:shown]) + 2 * (shown - 1) > room:
        shown -= 1
    widths = widths[:shown]

    def _render(line: list[str]) -> str:
        cells = [line[0] + " " * (widths[0] - _width(line[0]))]
        cells += [" " * (w - _width(cell)) + cell for cell, w in zip(line[1:shown], widths[1:], strict=True)]
        return "  ".join(cells).rstrip()

    hidden = ", ".join(dict.fromkeys(filter(None, header[shown:])))
    last = [f"Not shown, for want of room: {hidden}. The JSON has them."] if hidden else []
    return "\n".join([_render(header), "  ".join("-" * w for w in widths), *map(_render, rows), *last])


def _room() -> int:
    """Characters in a line of the terminal that results go to; 0 when they go to a file or a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
