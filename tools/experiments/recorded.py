"""What figures are stored with: the command that made them, the day and the machine."""

from __future__ import annotations

import datetime
import shlex
import sys
from pathlib import Path
from typing import Any

from repr.errors import UserError
from repr.files import read_json
from repr.records import Json
from repr.runs import environment

SCHEMA = 1


def about() -> dict[str, Json]:
    """The first entries of a file of figures; of paths the command keeps the names alone."""
    words = [Path(word).name if "/" in word else word for word in sys.argv]
    return {
        "schema": SCHEMA,
        "command": f"python {shlex.join(['tools/experiments/' + words[0], *words[1:]])}",
        "written": datetime.date.today().isoformat(),
        "environment": environment(),
    }


def of_seeds(out: Path, options: dict[str, Json]) -> dict[str, Any]:
    """The figures that a file of them holds by seed, none where there is no file. Raises UserError for figures of other options."""
    if not out.is_file():
        return {}
    content = read_json(out)
    if content.get("options") != options:
        raise UserError("holds figures of other options", out, "Write to another file")
    figures: dict[str, Any] = content["seeds"]
    return figures
