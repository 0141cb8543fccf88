"""What the experiments found, as it stands in results/<experiment>.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from repr.errors import UserError
from repr.experiments.document import SCHEMA, Comparison, Document
from repr.files import read_json, replacing
from repr.records import Json, Scalar, from_json, to_json

RESULTS = Path(__file__).parent / "results"
WIDTH, DEPTH = 320, 5  # what is shorter, or lies deeper (the rows of a step's document), takes one line


@dataclass(frozen=True)
class Trained:
    """How a step trained weights. lr: None where the weights do not tell. metrics: of the last epoch."""

    init: str
    method: str
    source: str
    views: str
    epochs: int
    size: int
    batch_size: int
    lr: float | None
    projector: Scalar
    metrics: Mapping[str, Scalar]


@dataclass(frozen=True)
class Tried:
    """A value of a grid and its score, the mean of acc_base and acc_novel on training images that are no shots.

    key: of the command and of those that made its weights, "" where they are not known.
    """

    value: str
    score: float
    key: str


@dataclass(frozen=True)
class Grid:
    """What a grid found: the best value, and whether it lies at the grid's edge."""

    option: str
    tried: tuple[Tried, ...]
    chosen: Scalar
    at_edge: bool


@dataclass(frozen=True)
class Step:
    """What a step found: weights that it trained, a grid's best, or a document. error: why it could not be run (anew).

    run: the command, with `{data}` and `{out}` for the two places; "" where it is not known.
    """

    step: str
    run: str = ""
    trained: Trained | None = None
    grid: Grid | None = None
    found: Document | None = None
    error: str = ""


@dataclass(frozen=True)
class Against:
    """A row of a step, minus one row of another. against: that step, and its row's learner where it has several.

    learner, weights, features: of the row. tests: a metric each; `a` is a position in the step's document, `b` in that of the other.
    """

    step: str
    against: str
    learner: str
    weights: str
    features: str
    tests: tuple[Comparison, ...]


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What an experiment found. schema: of the documents in it. written: the day."""

    schema: int = SCHEMA
    experiment: str
    title: str
    written: str
    environment: Mapping[str, Json]
    steps: tuple[Step, ...] = ()
    compared: tuple[Against, ...] = ()


def read(path: Path) -> Experiment:
    """Read an experiment's file. Raises UserError for broken fields and a newer schema."""
    experiment = from_json(Experiment, read_json(path), path)
    if experiment.schema > SCHEMA:
        raise UserError(f"written by a newer version (schema {experiment.schema} > {SCHEMA})", path, "Update the package")
    return experiment


def read_all(folder: Path = RESULTS) -> list[Experiment]:
    """All experiments of a folder, in the order of their names."""
    return [read(file) for file in sorted(folder.glob("*.json"))]


def write(path: Path, experiment: Experiment) -> None:
    """Write an experiment's file, a row a line."""
    with replacing(path) as temporary:
        temporary.write_text(_text(to_json(experiment), DEPTH) + "\n", encoding="utf-8")


def _text(value: Json, depth: int, indent: str = "") -> str:
    """JSON that takes one line a leaf of the depth."""
    line = json.dumps(value, ensure_ascii=False)
    if depth == 0 or not isinstance(value, list | dict) or len(line) <= WIDTH:
        return line
    inner = indent + " "
    if isinstance(value, dict):
        parts = [f"{json.dumps(name, ensure_ascii=False)}: {_text(part, depth - 1, inner)}" for name, part in value.items()]
    else:
        parts = [_text(part, depth - 1, inner) for part in value]
    first, last = ("{", "}") if isinstance(value, dict) else ("[", "]")
    return f"{first}\n{inner}" + f",\n{inner}".join(parts) + f"\n{indent}{last}"
