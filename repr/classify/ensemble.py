"""Several kept runs as one: majority vote and mean probability on the test rows that they share, with bootstrap intervals.

The file names run folders or the models in them, one a line, or as {"runs": [...]}; paths are relative to it. Nothing is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from repr.arrays import Doubles, Floats, Ints
from repr.classify.kept import Tested, find, read_tested
from repr.classify.late.vote import voted
from repr.errors import UserError
from repr.files import read_json
from repr.records import Json

SCHEMA = 1
SAMPLES = 1000  # of the bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3: percentiles)
LEVEL = 95
VOTE, MEAN = "majority vote", "mean probability"


@dataclass(frozen=True)
class Scored:
    """One member or one way to join them. low, high: 95 % interval of macro-F1 over the test rows. All are fractions."""

    name: str
    f1_macro: float
    low: float
    high: float
    f1_weighted: float
    top1: float


@dataclass(frozen=True)
class Difference:
    """Macro-F1 of a way to join minus that of a member, on the same rows, with its paired 95 % interval."""

    a: str
    b: str
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Joined:
    """Of so many test rows and classes: the members and the two ways first to last, and each way against each member."""

    rows: int
    classes: int
    scored: tuple[Scored, ...]
    differences: tuple[Difference, ...]

    def as_json(self) -> dict[str, Json]:
        """The object that is printed."""
        return {
            "schema": SCHEMA, "rows": self.rows, "classes": self.classes, "scores": [vars(one) for one in self.scored],
            "differences": [vars(one) for one in self.differences],
        }  # fmt: skip


def join(file: Path, seed: int = 0) -> Joined:
    """Measure what a file names. seed: of the bootstrap. Raises UserError for runs of different splits, classes or labels."""
    members = {str(path): read_tested(find(path)) for path in listed(file)}
    _check_alike(members)
    first = next(iter(members.values()))
    probabilities = np.stack([member.probabilities for member in members.values()])
    answers = {name: member.probabilities.argmax(axis=1) for name, member in members.items()}
    answers |= {VOTE: voted(probabilities).argmax(axis=1), MEAN: probabilities.mean(axis=0).argmax(axis=1)}
    classes, truth = len(first.names), first.truth
    drawn = bootstrap(truth, list(answers.values()), classes, np.random.default_rng(seed))
    scored = []
    for (name, predicted), samples in zip(answers.items(), drawn, strict=True):
        macro, weighted = f1(truth, predicted, classes)
        low, high = _interval(samples)
        scored.append(Scored(name, macro, low, high, weighted, float((truth == predicted).mean())))
    differences = [
        Difference(way, member, scored[i].f1_macro - scored[j].f1_macro, *_interval(drawn[i] - drawn[j]))
        for i, way in ((len(members), VOTE), (len(members) + 1, MEAN))
        for j, member in enumerate(members)
    ]
    return Joined(len(truth), classes, tuple(scored), tuple(differences))


def listed(file: Path) -> list[Path]:
    """The runs that a file names. Raises UserError for fewer than two, and for one named twice."""
    if not file.is_file():
        raise UserError("there is no such file", file, "Name kept runs in it, one a line")
    if file.suffix.lower() == ".json":
        content = read_json(file)
        names = content.get("runs") if isinstance(content, dict) else None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise UserError("no runs in it", file, 'Write {"runs": ["runs/a", "runs/b"]}')
    else:
        try:
            lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
        except UnicodeDecodeError:
            raise UserError("not a text in UTF-8", file, "Name kept runs in it, one a line") from None
        names = [line for line in lines if line and not line.startswith("#")]
    if len(names) < 2 or len(set(names)) < len(names):
        raise UserError("an ensemble is of two runs or more, each named once", file, "Name kept runs in it, one a line")
    return [file.parent / name for name in names]


def _check_alike(members: dict[str, Tested]) -> None:
    """Raise UserError, with the rows, where members were tested on different rows, labels or classes."""
    (name, first), *others = members.items()
    for other, tested in others:
        if tested.names != first.names:
            raise UserError(f"its classes are others than those of {name}", other, "Join runs of one level of one catalog")
        apart = np.setxor1d(tested.products, first.products)[:5].tolist()
        if apart:
            raise UserError(f"tested on other rows than {name}, such as {', '.join(apart)}", other, "Join runs of one split and seed")
        if not np.array_equal(tested.products, first.products) or not np.array_equal(tested.truth, first.truth):
            wrong = np.flatnonzero((tested.products != first.products) | (tested.truth != first.truth))[:5]
            rows = ", ".join(first.products[wrong])
            raise UserError(f"other labels than {name} has, of the rows {rows}", other, "Join runs of the same labels")


def f1(truth: Ints, predicted: Ints, classes: int) -> tuple[float, float]:
    """Macro-F1 over the classes that are there or were predicted, and F1 weighted by rows, as scikit-learn's."""
    support, named = np.bincount(truth, minlength=classes), np.bincount(predicted, minlength=classes)
    each = 2 * np.bincount(truth[truth == predicted], minlength=classes) / np.maximum(support + named, 1)
    counted = (support + named) > 0
    return float(each[counted].mean()), float((each * support).sum() / len(truth))


def bootstrap(truth: Ints, answers: Sequence[Ints], classes: int, rng: np.random.Generator, samples: int = SAMPLES) -> list[Doubles]:
    """Of each of the answers (n,), macro-F1 of `samples` draws of the test rows: the same draws for all, so that they can be subtracted."""
    of_answers: list[list[float]] = [[] for _ in answers]
    for _ in range(samples):
        rows = rng.integers(0, len(truth), len(truth))
        for scores, predicted in zip(of_answers, answers, strict=True):
            scores.append(f1(truth[rows], predicted[rows], classes)[0])
    return [np.array(scores) for scores in of_answers]


def _interval(samples: Doubles | Floats) -> tuple[float, float]:
    low, high = np.percentile(samples, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return float(low), float(high)
