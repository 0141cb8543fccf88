"""What the rows of a run begin from: the network of each of the weights, how they came about, and the sides of their images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from repr.crops import suffix
from repr.experiments.document import UsedWeights

CAPTION = "What the rows begin from, as the weights' files tell it"
HEADER = ["weights", "network", "used at", "how they came about"]


def weights_rows(weights: Iterable[UsedWeights], names: Mapping[str, str]) -> list[list[str]]:
    """A line under HEADER for each. names: of the weights, as the other tables show them."""
    lines = []
    for one in weights:
        sides = ", ".join(f"{size} px" for size in one.sizes) + suffix(one.crops)
        lines.append([names[one.name], one.arch or "–", sides, "; ".join(one.made) or "–"])
    return lines
