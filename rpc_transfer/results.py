"""A finished run as reports read it: the document, the split as it stands in its file, and the trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from repr.errors import UserError
from repr.evaluation.statistics import Metric
from repr.experiments import document
from repr.experiments.document import TRIALS, Config, Document, Row
from repr.experiments.trials import Store, Trial
from repr.records import from_json
from rpc_transfer import protocol
from rpc_transfer.protocol import BaseShots, Split, SplitFile

COMMAND = "rpc_transfer run"
SHOWN = ("acc_all", "acc_base", "acc_novel", "harmonic_mean")  # the metrics of its tables
NONE, IMAGENET = "none", "imagenet"  # weights by name: random ones, and what a user has without us
GIVEN, BASE_TRAINED, TRAINED = "as given", "base-trained", "trained"  # the encoder of a row
AGAINST_WEIGHTS, AGAINST_JOINT, AGAINST_USUAL = "weights", "joint", "imagenet"  # why rows are compared (`configs.comparisons`)


@dataclass(frozen=True)
class RowConfig:
    """The config of a row: what is set, and what that came to.

    weights: as named. features: the encoder, GIVEN, BASE_TRAINED or TRAINED. shots, base_shots: images a novel and a base
    product. increments: products of each step. memory: images that the learner may keep, None where the encoder stays as it is.
    size: image side in pixels. crops: as `repr.crops`.
    """

    learner: str
    weights: str
    features: str
    shots: int
    base_shots: BaseShots
    shots_from: str
    test_on: str
    increments: tuple[int, ...]
    memory: int | None
    arch: str
    size: int
    crops: tuple[float, ...]

    def as_config(self) -> Config:
        """As a row of the document holds it."""
        return asdict(self)


@dataclass(frozen=True)
class TransferRow:
    """A row of the document, with its config typed."""

    config: RowConfig
    row: Row

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """By name; empty where the row could not be run."""
        return self.row.metrics

    @property
    def error(self) -> str:
        """Why it could not be run, "" where it was."""
        return self.row.error


@dataclass(frozen=True)
class About:
    """What the document tells of the split: how many products and (of the first seed) test images of each kind, which are novel."""

    split_seed: int
    novel_ids: tuple[str, ...]
    base: int
    novel: int
    unknown: int
    base_tests: int
    novel_tests: int
    unknown_tests: int
    supercategories: int

    @classmethod
    def of(cls, split: Split) -> About:
        """Of a split."""
        tests = split.tests[split.seeds[0]]
        base, novel, unknown = (sum(len(tests[key]) for key in kind) for kind in (split.base, split.novel, split.unknown))
        supercategories = len({split.supercategories[key] for key in split.products})
        counts = (len(split.base), len(split.novel), len(split.unknown), base, novel, unknown, supercategories)
        return cls(split.split_seed, split.novel, *counts)

    def as_config(self) -> Config:
        """As the document holds it."""
        return asdict(self)


@dataclass(frozen=True)
class Results:
    """A run's results. folder: the run folder."""

    folder: Path
    document: Document

    @cached_property
    def about(self) -> About:
        """What the document tells of the split."""
        return from_json(About, self.document.about, self.folder / document.FILE)

    @cached_property
    def rows(self) -> tuple[TransferRow, ...]:
        """The rows; one that could not be run has an error and no metrics."""
        where = self.folder / document.FILE
        return tuple(TransferRow(from_json(RowConfig, row.config, where), row) for row in self.document.rows)

    @property
    def split_path(self) -> Path:
        """The split file of the run."""
        return self.folder / protocol.FILE

    @cached_property
    def split(self) -> SplitFile:
        """What is in it."""
        return SplitFile.read(self.split_path)

    def trials(self, row: TransferRow) -> dict[int, Trial]:
        """The trials of a row by seed, with their arrays."""
        store = Store(self.folder / TRIALS)
        return {trial.seed: store.read(trial.file) for trial in row.row.trials}


def read(folder: Path) -> Results:
    """Read a run's results. Raises UserError when the folder holds none, those of another command or a newer version, or of before a run
    that was stopped."""
    folder = Path(folder)
    stored = document.read(folder)
    if stored.command != COMMAND:
        raise UserError(f"the results of `{stored.command}`, not of a transfer run", folder, f"Give the folder that `{COMMAND}` wrote")
    return Results(folder, stored)
