"""The journal paper's tables, each a list of rows of the grid, and what the paper printed beside them.

Liu, Chen, Du, Gao and Xu, Pattern Recognition 140 (2023) 109519. The rows are those that its tables name; its accuracies are not in our
sources, so that column says so, unless paper.csv or a file of one's own holds them. Table 7's sizes of the four subsets are.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from repr.catalog.parts import PAPER as SIZES
from repr.classify import MODELS, SUBSETS
from repr.classify.challenge import DECISION, FEATURE
from repr.classify.combinations import combine
from repr.classify.hierarchy import NETS
from repr.classify.settings import RowConfig, Settings
from repr.errors import UserError

NUMBERS = ("4", "5", "6", "8", "fig8", "rakuten")
TITLES = {
    "4": "Table 4: one modality, three levels",
    "5": "Table 5: frozen image features, text, and both",
    "6": "Table 6: hierarchical nets on frozen features",
    "8": "Table 8: fine-grained subsets",
    "fig8": "Fig. 8: accuracy against training samples, level 3",
    "rakuten": "Rakuten, Table 1: single modalities, feature-level fusion, decision-level fusion, ensemble",
}
COLUMNS = ("table", "row", "level", "top1", "source")
Paper = dict[tuple[str, str, int], float]


@dataclass(frozen=True)
class Choice:
    """What a user narrows a table by; empty means all of it."""

    models: tuple[str, ...] = ()
    levels: tuple[int, ...] = ()
    hierarchies: tuple[str, ...] = ()
    parts: Mapping[str, int] = field(default_factory=dict)  # subtrees in place of the four subsets, or parts of another table; their levels
    weights: tuple[str, ...] = ()
    masks: tuple[bool, ...] = (False, True)
    shares: tuple[float, ...] = ()  # of fine labels, in table 6
    ocrs: tuple[bool, ...] = (False,)
    usual: int = 2  # level of the data


def rows_of(number: str, base: Settings, choice: Choice) -> list[Settings]:
    """The rows of a table: those that read titles once for each of `masks` and `ocrs`. Raises UserError for what is no table or row."""
    if number not in NUMBERS:
        raise UserError(f"there is no table {number!r} to run", "table", f"Choose from: {', '.join(NUMBERS)}")
    rows = _models_of(number, base, choice)
    if number != "8" and choice.parts:
        rows = [replace(row, part=part) for part in choice.parts for row in rows]
    # Images have nothing to mask: their rows stand once.
    reads = {row.model: "text" in MODELS[row.model].modality for row in rows}
    rows = [replace(row, ocr=ocr) for row in rows for ocr in (choice.ocrs if reads[row.model] else (False,))]
    rows = [replace(row, mask=mask) for row in rows for mask in (choice.masks if reads[row.model] else (False,))]
    if choice.models:
        unknown = set(choice.models) - {row.model for row in rows}
        if unknown:
            listed = ", ".join(dict.fromkeys(row.model for row in rows))
            raise UserError(f"{TITLES[number]} has no row {', '.join(sorted(unknown))}", "", f"It has {listed}", argument="model")
        rows = [row for row in rows if row.model in choice.models]
    return rows


def _models_of(number: str, base: Settings, choice: Choice) -> list[Settings]:
    """The rows that a table names, before titles are read in more than one way."""
    weights = choice.weights
    levels = choice.levels or ((1, 2, 3) if number in ("4", "5", "6") else (3,))
    if number == "4":
        models: tuple[str, ...] = ("vgg19", "inception_v3", "resnet50", "encoder", "lstm", "bilstm", "bert", "ngram")
        return combine(base, models=models, levels=levels, weights=weights)
    if number == "5":
        models = ("vgg19", "encoder", "bilstm", "concat", "tfn", "lmf", "gated")
        return combine(replace(base, end_to_end=False), models=models, levels=levels, weights=weights)
    if number == "6":
        models = ("resnet50", "encoder", "bert", "concat")
        nets, shares = choice.hierarchies or tuple(NETS), choice.shares or (1.0,)
        return combine(base, models=models, levels=levels, weights=weights, hierarchies=nets, shares=shares)
    if number == "rakuten":
        single = (base.image_model, base.text_encoder)
        return combine(base, models=(*single, *FEATURE, *DECISION, "committee"), levels=choice.levels or (choice.usual,), weights=weights)
    if number == "8":
        models = ("resnet50", "encoder", "bilstm", "bert", "ngram", "gated")
        parts = choice.parts or dict.fromkeys(SUBSETS, 3)
        return [
            row
            for part, level in parts.items()
            for row in combine(replace(base, part=part), models=models, levels=choice.levels or (level,), weights=weights)
        ]
    return combine(base, models=("resnet50", "encoder"), levels=levels, weights=weights)


def read_paper(file: str) -> Paper:
    """What the paper prints, by table, row and level, from a CSV with COLUMNS; "" for the package's own, which holds what our sources do.

    row: model, hierarchy and part, those that there are, with blanks between ("bert coarse-to-fine"); top1: a fraction.
    Raises UserError with the line that is wrong.
    """
    path = Path(file) if file else Path(__file__).with_name("paper.csv")
    if not path.is_file():
        raise UserError("there is no such file", path, f"Give a CSV with the columns {', '.join(COLUMNS)}")
    found: Paper = {}
    with path.open(encoding="utf-8-sig", newline="") as stream:
        for line, entry in enumerate(csv.DictReader(stream), 2):
            try:
                key, top1 = (entry["table"], entry["row"], int(entry["level"])), float(entry["top1"])
            except (KeyError, TypeError, ValueError):
                raise UserError(f"not a line of {', '.join(COLUMNS)}", f"{path}, line {line}", "Mend the line") from None
            if not 0 <= top1 <= 1:
                raise UserError(f"an accuracy of {top1:g}", f"{path}, line {line}", "Give fractions, 0 to 1")
            found[key] = top1
    return found


def of_paper(number: str, rows: Sequence[RowConfig], paper: Paper) -> tuple[float | None, ...]:
    """The paper's accuracy for each row as a fraction, None where `paper` does not state it.

    The paper's rows read whole titles without OCR text and know all labels: others are none of its rows.
    """
    return tuple(
        paper.get((number, " ".join(filter(None, [row.model, row.hierarchy, row.part])), row.level))
        if not row.masked and "ocr" not in row.modality and row.fine_share == 1
        else None
        for row in rows
    )


def remarks(number: str, paper: Paper, stand_ins: Sequence[str] = ()) -> list[str]:
    """What a reader of a table must know. stand_ins: parts that were run where the data have none of the four subsets."""
    said = (
        []
        if paper or number == "rakuten"
        else ["Paper –: its accuracies are not in the package's sources; name a file of your own with `paper`."]
    )
    if number == "8":
        sizes = ", ".join(f"{name} {SIZES[name][0]} classes and {SIZES[name][1]:,} products" for name in SUBSETS)
        said.append(f"The paper's subsets (its Table 7): {sizes}.")
        stand = f"None of them is in these data: {', '.join(stand_ins)} stand in, the largest. " if stand_ins else ""
        said.append(f"{stand}Classes named with `parts` run any subtree in their place.")
    if number == "6":
        said.append("The paper draws its nets in a figure that is not in the text: the nets here are of our design, in their spirit.")
    if number in ("5", "6"):
        said.append("Rows of a network whose weights were not named with `weights` are not run; `encoder` stands in for them.")
        said.append("Image + text rows look through the weights named, imagenet by default; the paper's look through VGG-19 or ResNet-50.")
    return said
