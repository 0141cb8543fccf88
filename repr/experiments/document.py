"""What a run of trials found, as one document: results.json of a run folder, and what `--json` prints.

    {"schema": 1, "command": "rpc_transfer run", "data": "grocery", "synthetic": false,
     "rows": [{"config": {"learner": "lda", "weights": "imagenet", "shots": 10, …},
               "metrics": {"acc_all": {"mean": 0.5, "ci95": 0.02, "values": [0.49, 0.51]}, "supercategory/Milk": {…}, …},
               "trials": [{"seed": 0, "split": content key, "file": "lda-<key>.npz"}, …],
               "synthetic": false, "redrawn": 0.0, "error": "", "note": ""}, …],
     "comparisons": [{"a": 1, "b": 0, "against": "weights", "metric": "acc_all", "difference": 0.01, "ci95": …, "p": …, "n": 2}, …],
     "weights": [{"name": "runs/mine", "arch": "resnet18", "made": […], "sizes": [64], "crops": [1.0]}],
     "shown": ["acc_all", …], "named": ["learner", "weights"], "alike": ["learner"], "notes": […], "about": {…},
     "leaks": [{"weights": "runs/mine", "kind": "seen", "text": "'runs/mine' has seen 12 of 100 test images: …", "share": 0.12}]}

Metrics that apply to no seed of a row are left out; one that applies to some has null for the others. A row that could not be run has no
metrics and no trials, and says why in "error".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from repr.errors import UserError
from repr.evaluation.statistics import Metric
from repr.files import read_json, write_json
from repr.models.provenance import Leak
from repr.records import Json, Scalar, from_json, to_json
from repr.runs import Run

SCHEMA = 1
FILE = "results.json"  # in a run folder
TRIALS = "trials"  # the folder of trial files, in a run folder

Value = Scalar | tuple[Scalar, ...]
Config = Mapping[str, Value]  # what is set of a row, and what that came to


@dataclass(frozen=True)
class TrialFile:
    """One trial of a row: its seed, the content key of what it learned from and was tested on, and the name of its file."""

    seed: int
    split: str
    file: str


@dataclass(frozen=True)
class Row:
    """One config over its seeds.

    metrics: by name, values in the order of `trials`; the part of a name before a slash is a group ("supercategory/Milk").
    redrawn: test over training rows where every seed divides the same rows anew, else 0 (`statistics.half_width`).
    error: why it could not be run, "" where it was. note: what a reader of the row must know.
    """

    config: Config
    metrics: Mapping[str, Metric]
    trials: tuple[TrialFile, ...] = ()
    synthetic: bool = False
    redrawn: float = 0.0
    error: str = ""
    note: str = ""

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of its trials."""
        return tuple(trial.seed for trial in self.trials)

    def group(self, name: str) -> dict[str, Metric]:
        """The metrics of a group, by their names within it."""
        return {metric.partition("/")[2]: of for metric, of in self.metrics.items() if metric.startswith(f"{name}/")}


@dataclass(frozen=True)
class Comparison:
    """Row `a` minus row `b` (positions in the document) on one metric, by a paired t-test over the seeds of equal splits.

    against: why the two are compared, one word of the experiment. ci95, p: None where the pairs are too few.
    """

    a: int
    b: int
    against: str
    metric: str
    difference: float
    ci95: float | None
    p: float | None
    n: int


@dataclass(frozen=True)
class UsedWeights:
    """Weights that rows begin from: as named, what their file tells of how they were made, and how they were used.

    made: their provenance, a line a step. sizes: image sides in pixels. crops: as `repr.crops`.
    """

    name: str
    arch: str
    made: tuple[str, ...]
    sizes: tuple[int, ...]
    crops: tuple[float, ...]


@dataclass(frozen=True)
class Document:
    """The results of one command.

    shown: the metrics that a table shows, all of them fractions 0-1, the most important first. named: the settings of a row that stand in
    every table; others do where they differ. alike: rows that are equal in these settings are worth comparing across documents.
    notes: what a reader must know. about: facts of the run by name. leaks: weights that have seen what they are measured on, or may have.
    """

    command: str
    data: str
    synthetic: bool
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...] = ()
    weights: tuple[UsedWeights, ...] = ()
    shown: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    about: Mapping[str, Value] = field(default_factory=dict)
    leaks: tuple[Leak, ...] = ()

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of all rows, each once."""
        return tuple(dict.fromkeys(seed for row in self.rows for seed in row.seeds))

    def as_json(self) -> dict[str, Json]:
        """The document as JSON, its schema first."""
        content = to_json(self)
        assert isinstance(content, dict)
        return {"schema": SCHEMA, **content}

    @classmethod
    def from_json(cls, content: object, where: str | Path = "") -> Document:
        """Read what `as_json` made. Raises UserError, about the file `where`, for another thing, a newer schema and broken fields."""
        if not isinstance(content, dict) or not isinstance(content.get("schema"), int):
            raise UserError("not the results of a run", where, "Give the folder that a command wrote with `out`")
        if content["schema"] > SCHEMA:
            raise UserError(f"written by a newer version (schema {content['schema']} > {SCHEMA})", where, "Update the package")
        return from_json(cls, {name: value for name, value in content.items() if name not in ("schema", "passed_over")}, where)


def write(folder: Path, document: Document) -> None:
    """Write the results of a run, whole or not at all."""
    write_json(folder / FILE, document.as_json())


def read(folder: Path) -> Document:
    """Read the results of a run. Raises UserError when there are none, or when the run has not ended: they are of one before it."""
    folder = Path(folder)
    if (folder / "config.json").is_file() and Run.open(folder).config.get("status") != "done":
        raise UserError("this run has not ended", folder, "Run the same command again; it goes on where it was")
    if not (folder / FILE).is_file():
        raise UserError("no results in this folder", folder, "Give the folder that a finished run was written to")
    return Document.from_json(read_json(folder / FILE), folder / FILE)
