"""What figures are stored with: the command that made them, the day and the machine."""

from __future__ import annotations

import datetime
import shlex
import sys
from pathlib import Path

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
