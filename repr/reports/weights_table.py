"""What the rows of a run begin from: method, source, recipe and resolution of each of the weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from repr.crops import suffix
from repr.experiments.document import UsedWeights

CAPTION = "What the rows begin from, as the weights' files tell it"
HEADER = ["weights", "network", "method", "source", "recipe", "used at"]


def weights_rows(weights: Iterable[UsedWeights], names: Mapping[str, str]) -> list[list[str]]:
    """A line under HEADER for each. names: of the weights, as the other tables show them."""
    lines = []
    for one in weights:
        sides = ", ".join(f"{size} px" for size in one.sizes) + suffix(one.crops)
        lines.append([names[one.name], *(told or "–" for told in (one.arch, one.method, one.trained_on, one.recipe)), sides])
    return lines
