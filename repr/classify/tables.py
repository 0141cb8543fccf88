"""The journal paper's tables, each a list of rows of the grid, and what the paper printed beside them.

Chen, Liu et al., Pattern Recognition 140 (2023) 109519. The rows are those that its tables name; its accuracies are not in our
sources, so that column says so. Table 7's sizes of the four subsets are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from repr.catalog.parts import PAPER as SIZES
from repr.classify import MODELS, SUBSETS
from repr.classify.experiment import grid
from repr.classify.hierarchy import NETS
from repr.classify.settings import Settings
from repr.errors import UserError

NUMBERS = ("4", "5", "6", "8", "fig8")
TITLES = {
    "4": "Table 4: one modality, three levels",
    "5": "Table 5: frozen image features, text, and both",
    "6": "Table 6: hierarchical nets on frozen features",
    "8": "Table 8: fine-grained subsets",
    "fig8": "Fig. 8: accuracy against training samples, level 3",
}
SINGLE = ("vgg19", "inception_v3", "resnet50", "encoder", "lstm", "bilstm", "bert", "ngram")
NOT_KNOWN = "not in our sources"
# What the papers' tables print, by table, row and level: fractions of level accuracy. Empty until somebody holds the numbers.
PAPER: dict[tuple[str, str, int], float] = {}


@dataclass(frozen=True)
class Choice:
    """What a user narrows a table by; empty means all of it."""

    models: tuple[str, ...] = ()
    levels: tuple[int, ...] = ()
    hierarchies: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()  # subtrees in place of the four subsets, or the one part of another table
    weights: tuple[str, ...] = ()
    masks: tuple[bool, ...] = (False, True)
    shares: tuple[float, ...] = ()  # of fine labels, in table 6


def rows_of(number: str, base: Settings, choice: Choice, seeds: Sequence[int]) -> list[Settings]:
    """The rows of a table: with titles as they are and masked for rows that read them. Raises UserError for what is no table or row."""
    if number not in NUMBERS:
        raise UserError(f"there is no table {number!r} to run", "table", f"Choose from: {', '.join(NUMBERS)}")
    levels = choice.levels or ((1, 2, 3) if number in ("4", "5", "6") else (3,))
    shared: dict[str, Any] = {"seeds": seeds, "weights": choice.weights}
    rows: list[Settings] = []
    if number == "4":
        rows = grid(
            base, models=("vgg19", "inception_v3", "resnet50", "encoder", "lstm", "bilstm", "bert", "ngram"), levels=levels, **shared
        )
    elif number == "5":
        frozen = replace(base, end_to_end=False)
        rows = grid(frozen, models=("vgg19", "encoder", "bilstm", "concat", "tfn", "lmf", "gated"), levels=levels, **shared)
    elif number == "6":
        more: dict[str, Any] = {"hierarchies": choice.hierarchies or tuple(NETS), "shares": choice.shares or (1.0,)}
        rows = grid(base, models=("resnet50", "encoder", "bert", "concat"), levels=levels, **more, **shared)
    elif number == "8":
        models = ("resnet50", "encoder", "bilstm", "bert", "ngram", "gated")
        rows = [row for part in choice.parts or SUBSETS for row in grid(replace(base, part=part), models=models, levels=levels, **shared)]
    else:
        rows = grid(base, models=("resnet50", "encoder"), levels=levels, **shared)
    if number != "8" and choice.parts:
        rows = [replace(row, part=part) for part in choice.parts for row in rows]
    # Pictures have nothing to mask: their rows stand once.
    rows = [replace(row, mask=mask) for row in rows for mask in (choice.masks if "text" in MODELS[row.model].modality else (False,))]
    if choice.models:
        unknown = set(choice.models) - {row.model for row in rows}
        if unknown:
            raise UserError(f"{TITLES[number]} has no row {', '.join(sorted(unknown))}", "--model", f"It has {_models(rows)}")
        rows = [row for row in rows if row.model in choice.models]
    return rows


def _models(rows: Sequence[Settings]) -> str:
    return ", ".join(dict.fromkeys(row.model for row in rows))


def with_paper(number: str, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The summarised rows with "paper": the paper's accuracy as a fraction, None where our sources do not state it."""
    return [{**row, "paper": PAPER.get((number, f"{row['model']} {row['hierarchy']}".strip(), row["level"]))} for row in rows]


def remarks(number: str) -> list[str]:
    """What a reader of a table must know."""
    said = ["The paper's accuracies are not in our sources; the column is there for whoever holds them."] if not PAPER else []
    if number == "8":
        sizes = ", ".join(f"{name} {SIZES[name][0]} classes and {SIZES[name][1]:,} products" for name in SUBSETS)
        said.append(f"The paper's subsets (its Table 7): {sizes}.")
    if number == "6":
        said.append("The paper draws its nets in a figure that is not in the text: the nets here are of our design, in their spirit.")
    if number in ("5", "6"):
        said.append("Rows of a network whose weights were not named with --weights are not run; `encoder` stands in for them.")
    return said
