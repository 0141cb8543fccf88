"""What the rows of a transfer start from: method, source, recipe and resolution of each of the weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from repr.crops import WHOLE, suffix

CAPTION = "What the rows start from, as the weights' files tell it"
HEADER = ["weights", "network", "method", "source", "recipe", "used at"]


def starts_rows(starts: Iterable[Mapping[str, Any]], names: Mapping[str | None, str]) -> list[list[str]]:
    """A line under HEADER for each entry of `starts` in results.json. names: of the weights, as the other tables show them."""
    lines = []
    for start in starts:
        sides = ", ".join(f"{size} px" for size in start["sizes"]) + suffix(start.get("crops", WHOLE))
        told = [start[key] or "–" for key in ("arch", "method", "trained_on", "recipe")]
        lines.append([names[start["weights"]], *told, sides])
    return lines
