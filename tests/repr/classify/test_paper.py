"""The paper's tables as it prints them, typed here from the print: our rows, their order, and the figures beside them."""

from __future__ import annotations

import numpy as np
import pytest

from repr.classify.grid import Request
from repr.classify.paper import METRICS, Printed, of_paper, read_paper
from repr.classify.rows import list_rows
from repr.classify.settings import Settings

FOUR = {  # top-1 and top-5 in per cent, AP, F1
    "vgg19": (76.36, 91.77, 0.3966, 0.7275),
    "inception_v3": (79.48, 94.27, 0.6326, 0.7493),
    "lstm": (89.13, 98.33, 0.9200, 0.8796),
    "bilstm": (90.68, 98.70, 0.9309, 0.8931),
    "concat": (91.07, 98.84, 0.9354, 0.8540),  # VGG + BiLSTM
    "tfn": (90.70, 98.74, 0.9289, 0.8899),
    "lmf": (89.22, 98.19, 0.8924, 0.9125),
}
FIVE = {"resnet50": (88.81, 71.37, 71.15), "bert": (98.76, 94.29, 94.10)}
SIX = {  # baseline, coarse to fine, fine to coarse, coarse and fine
    "resnet50": (88.81, 90.01, 89.50, 89.73),
    "bert": (98.76, 98.58, 98.61, 98.61),
    "concat": (97.70, 98.81, 98.81, 98.81),
}
CHANGES = {"resnet50": (1.20, 0.69, 0.92), "bert": (-0.18, -0.15, -0.15), "concat": (1.11, 1.11, 1.11)}
AVERAGE = (0.71, 0.55, 0.63)
EIGHT = {  # accessories, jewelries, outdoors, meats
    "resnet50": (90.95, 64.88, 69.39, 64.76),
    "bert": (99.27, 100, 93.44, 81.66),
}
PARTS = ("accessories", "jewelries", "outdoors", "meats")
COLUMNS = ("flat", "coarse-to-fine", "fine-to-coarse", "coarse-and-fine")


def rows_asked(number: str, **asked: object) -> list[Settings]:
    """The rows of a table as the command runs it, read with whole titles."""
    levels = dict.fromkeys(PARTS, 3) if number == "8" else {"": 2}
    return list_rows(number, Request(mask=False, **asked), {"paper": "random"}, levels)  # type: ignore[arg-type]


def printed(number: str) -> list[tuple[Settings, Printed]]:
    """The rows that the paper has, with what it prints of them."""
    rows = rows_asked(number)
    found = of_paper(number, [row.config for row in rows], read_paper(""))
    return [(row, of) for row, of in zip(rows, found, strict=True) if of]


def test_table_4() -> None:
    rows = printed("4")
    assert [row.model for row, _ in rows] == list(FOUR) and {row.level for row, _ in rows} == {2}
    for row, of in rows:
        top1, top5, ap, f1 = FOUR[row.model]
        assert [getattr(of, name) for name in METRICS] == pytest.approx([top1 / 100, top5 / 100, ap, f1])
    assert {row.text_encoder for row, _ in rows if row.model in ("concat", "tfn", "lmf")} == {"bilstm"}


def test_table_5() -> None:
    rows = printed("5")
    assert [(row.model, row.level) for row, _ in rows] == [(model, level) for model in FIVE for level in (1, 2, 3)]
    for row, of in rows:
        assert of.top1 == pytest.approx(FIVE[row.model][row.level - 1] / 100) and of.top5 is None
    frozen = rows_asked("5", end_to_end=False)
    assert {tuple(row.hidden(0)) for row in frozen if row.model in FIVE} == {(4096, 4096)}


def test_table_5_end_to_end() -> None:
    """The same rows, the networks trained too, with nothing between them and the classes."""
    whole = [row for row in rows_asked("5", end_to_end=True) if row.model in FIVE]
    assert [(row.model, row.level) for row in whole] == [(row.model, row.level) for row, _ in printed("5")]
    assert all(row.end_to_end and row.layers is None for row in whole)


def test_table_6() -> None:
    rows = printed("6")
    assert {(row.model, row.hierarchy) for row, _ in rows} == {(model, net) for model in SIX for net in COLUMNS}
    top1 = {(row.model, row.hierarchy): of.top1 for row, of in rows}
    for model, values in SIX.items():
        assert [top1[model, net] for net in COLUMNS] == pytest.approx([value / 100 for value in values])
        assert [round(100 * (top1[model, net] - top1[model, "flat"]), 2) for net in COLUMNS[1:]] == list(CHANGES[model])
    gains = [np.mean([100 * (top1[model, net] - top1[model, "flat"]) for model in SIX]) for net in COLUMNS[1:]]
    assert [round(float(gain), 2) for gain in gains] == list(AVERAGE)


def test_table_8() -> None:
    rows = printed("8")
    assert {(row.model, row.part) for row, _ in rows} == {(model, part) for model in EIGHT for part in PARTS}
    for row, of in rows:
        assert of.top1 == pytest.approx(EIGHT[row.model][PARTS.index(row.part)] / 100) and row.level == 3


def test_every_figure_says_where_it_stands() -> None:
    paper = read_paper("")
    assert {key[0] for key in paper} == {"4", "5", "6", "8"} and len(paper) == 7 + 6 + 12 + 8
    assert all(of.source == f"Pattern Recognition 140 (2023) 109519, Table {number}" for (number, _, _), of in paper.items())


def test_the_papers_training_is_a_preset() -> None:
    """Adam at 1e-3, halved every 2 epochs, batches of 64."""
    recipe = Settings(preset="paper").training(10)
    assert (recipe["lr"], recipe["halve_every"], recipe["batch_size"]) == (1e-3, 2, 64)
