"""What the rows of a transfer start from: the network of each of the weights, how they came about, and the sides of their images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypedDict

from repr.crops import WHOLE, suffix

CAPTION = "What the rows start from, as the weights' files tell it"
HEADER = ["weights", "network", "how they came about", "used at"]


class Start(TypedDict):
    """An entry of "starts" in a transfer's results: weights as typed, their architecture, their provenance in lines, sides in pixels."""

    weights: str
    arch: str
    history: list[str]
    sizes: list[int]
    crops: list[float]


def starts_rows(starts: Iterable[Start], names: Mapping[str | None, str]) -> list[list[str]]:
    """A line under HEADER for each entry. names: of the weights, as the other tables show them."""
    return [
        [
            names[start["weights"]],
            start["arch"] or "–",
            "; ".join(start["history"]) or "–",
            ", ".join(f"{size} px" for size in start["sizes"]) + suffix(start.get("crops", WHOLE)),
        ]
        for start in starts
    ]
