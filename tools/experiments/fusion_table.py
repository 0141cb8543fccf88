"""Print the tables of docs/fusion.md from what is stored: results/rakuten-fashion.json, results/noise and results/dcl."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
import stored
from table import table

from repr.classify.challenge import remarks
from repr.classify.settings import RowConfig
from repr.classify.summary import ClassifyRow
from repr.evaluation.words import ENOUGH, percent, points, rate
from repr.experiments.document import Document
from repr.files import read_json
from repr.records import from_json

FUSED = {"f1_macro": "F1 macro", "f1_weighted": "F1 weighted", "top1": "top-1"}
MISSING = {"missing/image": "top-1 without image", "missing/text": "top-1 without text"}
SWAPPED = {"random": "at random", "confusable": "between confusable classes"}
TRAINED_ON = ("fashion", "grocery")
METHODS = {"frozen": "the last layer alone", "plain": "plain fine-tuning", "dcl": "dcl"}
SCORES = ("f1_macro", "top1")
DROPPED = {"none": "none", "tenth": "a tenth of the flagged", "flagged": "all flagged"}


@click.command()
def main() -> None:
    """Print the tables."""
    for lines in (fused(), pruned(), destroyed(), parted()):
        click.echo("\n".join(lines) + "\n")


def fused() -> list[str]:
    """Rows of Table 1 at small scale, and what late fusion gains, paired by seed."""
    lines: list[str] = []
    for step in stored.read(stored.RESULTS / "rakuten-fashion.json").steps:
        if step.found is not None:
            lines += [f"`{step.run}`", "", *of_document(step.found), "", *gains(step.found), ""]
    return lines


def of_document(document: Document) -> list[str]:
    """A table of the rows that ran."""
    named = FUSED | MISSING
    cells = [
        [row.config["model"], *(rate(row.metrics[name]) if name in row.metrics else "" for name in named)]
        for row in document.rows
        if row.metrics
    ]
    return table(["row", *named.values()], cells)


def gains(document: Document) -> list[str]:
    """Sentences on decision-level fusion against the better modality and the best feature-level row."""
    rows = [ClassifyRow(from_json(RowConfig, row.config), row, dict.fromkeys(row.seeds)) for row in document.rows]  # type: ignore[arg-type]
    return [f"- {line}" for line in remarks(rows) if " over " in line]


def pruned() -> list[str]:
    """What is flagged and dropped of swapped labels, and what that does for the test rows."""
    summary = read_json(stored.RESULTS / "noise" / "fashion.json")["summary"]
    return table(["swapped", "dropped", "share of training rows", "precision", "recall", "top-1"], list(_pruned(summary)))


def _pruned(summary: Mapping[str, Mapping[str, Sequence[float | None]]]) -> Iterator[list[str]]:
    for kind, figures in summary.items():
        for drop, words in DROPPED.items():
            metrics = [f"{drop}/{name}" for name in ("share", "precision", "recall", "top1")]
            yield [SWAPPED[kind], words, *(percent(*figures[name]) if name in figures else "" for name in metrics)]


def destroyed() -> list[str]:
    """Destruction and construction learning against plain fine-tuning of equal time, and a frozen network beside both."""
    cells = [row for name in TRAINED_ON for row in _destroyed(name, read_json(stored.RESULTS / "dcl" / f"{name}.json"))]
    return table(["set", "seeds", "trained", "epochs", "processor, s", "F1 macro", "top-1"], cells)


def _destroyed(name: str, found: Mapping[str, Mapping[str, Any]]) -> Iterator[list[str]]:
    """Rows of one set; intervals from ENOUGH seeds on."""
    summary, seeds = found["summary"], sum(set(METHODS) <= set(of) for of in found["seeds"].values())
    known = {one: (mean, half if seeds >= ENOUGH else None) for one, (mean, half) in summary.items()}
    for method, words in METHODS.items():
        lasted = [f"{known[f'{method}/{what}'][0]:.0f}" if method != "frozen" else "" for what in ("epochs", "seconds")]
        yield [name, str(seeds), words, *lasted, *(percent(*known[f"{method}/{score}"]) for score in SCORES)]
    yield [name, str(seeds), "dcl − plain, points", "", "", *(points(*known[f"dcl - plain/{score}"]) for score in SCORES)]


def parted() -> list[str]:
    """How hard the parts of fashion's tree are for frozen features, on rows that no seed tests on."""
    parts = read_json(stored.RESULTS / "dcl" / "subtrees.json")["parts"]
    cells = [
        [one["under"], one["level"], one["classes"], f"{one['rows']:,}", percent(one["top1"]), percent(one["f1_macro"])] for one in parts
    ]
    return table(["below", "level", "classes", "rows", "top-1", "F1 macro"], cells)


if __name__ == "__main__":
    main()
