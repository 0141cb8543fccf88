"""Which part of a class tree is the hardest to tell apart: told by frozen features, on rows that no seed tests on.

    python tools/experiments/subtrees.py DATA/fashion --out tools/experiments/results/dcl/subtrees.json

Every class with LEAST rows and CLASSES classes or more below it. Of its rows those count that are in the training part of the grouped split
of every seed; a linear layer on frozen features of other folds answers for each. The hardest is the one with the lowest top-1: macro-F1 is
low wherever many classes have a handful of rows, however they look.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
import recorded

from repr.arrays import Ints
from repr.catalog.sources import fill_split, open_sources
from repr.catalog.table import Catalog
from repr.classify.data import Data, Problem
from repr.classify.ensemble import f1
from repr.classify.folds import FOLDS, divide, out_of_fold
from repr.classify.settings import Settings
from repr.files import write_json

LEAST, CLASSES = 1000, 3


@dataclass(frozen=True)
class Part:
    """What is below a class. level: of the classes that are told apart; rows, classes: that were judged; top1, f1_macro: fractions."""

    under: str
    level: int
    rows: int
    classes: int
    top1: float
    f1_macro: float


def never_tested(read: Catalog, seeds: int) -> Catalog:
    """The rows that are for training in the split of every seed."""
    kept = np.ones(len(read), bool)
    for seed in range(seeds):
        kept &= fill_split(read, "grouped", seed, None).column("split") == "train"
    return read.select(kept)


def parts(read: Catalog, catalog: Catalog) -> Iterator[tuple[str, int, Ints]]:
    """Name, level of the classes below, and rows of `catalog`, of each class of the tree that is large enough in all that was read."""
    for level in (1, 2):
        for code, entry in enumerate(read.classes[level - 1]):
            below = read.column(f"class_{level + 1}")[read.column(f"class_{level}") == code]
            rows = np.flatnonzero((catalog.column(f"class_{level}") == code) & (catalog.column(f"class_{level + 1}") >= 0))
            if (below >= 0).sum() >= LEAST and len(np.unique(catalog.column(f"class_{level + 1}")[rows])) >= CLASSES:
                yield entry.name, level + 1, rows


def judged(data: Data, under: str, level: int, rows: Ints, size: int) -> Part:
    """The part whose rows these are, each answered for by a model of the other folds."""
    labels, names = data.catalog.labels(level)
    problem = Problem(level, labels, names, rows, rows[:0], rows[:0])
    settings = Settings(model="encoder", level=level, size=size)
    predicted = out_of_fold(data, settings, problem, divide(problem, data.titles, FOLDS, 0)).probabilities.argmax(axis=1)
    top1, macro = float((predicted == labels[rows]).mean()), f1(labels[rows], predicted, len(names))[0]
    return Part(under, level, len(rows), len(np.unique(labels[rows])), top1, macro)


@click.command()
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--seeds", default=5, show_default=True, help="Whose test rows are left out.")
@click.option("--size", default=128, show_default=True, help="Pixels.")
def main(source: Path, out: Path, seeds: int, size: int) -> None:
    """Print the parts, the hardest first, and write them."""
    read = open_sources([source])
    data = Data(never_tested(read, seeds))
    found = sorted((judged(data, *part, size) for part in parts(read, data.catalog)), key=lambda part: part.top1)
    write_json(out, {**recorded.about(), "seeds": seeds, "size": size, "parts": [asdict(part) for part in found]})
    for part in found:
        click.echo(f"{part.under}: top-1 {part.top1:.3f}, macro-F1 {part.f1_macro:.3f}, {part.rows:,} rows of {part.classes} classes")


if __name__ == "__main__":
    main()
