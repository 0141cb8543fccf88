"""One model on one level: trained, its temperature fitted on the validation rows; asked for calibrated probabilities of any rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

import numpy as np
import torch

from repr.arrays import Floats, Ints
from repr.classify import MODELS
from repr.classify.data import Data, Problem
from repr.classify.late import FUSERS
from repr.classify.longtail import adjust, balanced
from repr.classify.prior import prior
from repr.classify.settings import Settings
from repr.classify.state import Restored, State
from repr.evaluation.calibration import fit_temperature, log_softmax

BLOCK = 8192  # rows scored at a time
CALIBRATED = 20_000  # validation rows for the temperature; a tenth of three million with 599 logits each took 1.5 GB


TREE = "repr.classify.tree_model:TreeLevel"  # of rows with a hierarchical net; late fusion has two of them below itself


class Model(Protocol):
    """What a trained model is: gives logits of any rows of any data, NaN where a row has nothing that it sees."""

    note: str  # what a reader of the row must know, "" for nothing

    def logits(self, data: Data, rows: Ints) -> Floats:
        """(len(rows), classes)."""

    def state(self) -> State:
        """What it has learnt."""

    def restore(self, state: Restored) -> Model:
        """Take over what `state` gave, and return itself. Raises UserError for what does not fit."""


class Learner(Model, Protocol):
    """A model that learns from rows of one level. A hierarchical net learns from all levels at once (`tree_rows`)."""

    def fit(self, data: Data, rows: Ints, labels: Ints, classes: int, generator: torch.Generator) -> Model:
        """Learn from catalog rows (n,) with labels (n,) in 0..classes-1, and return itself."""


def load(settings: Settings) -> Model:
    """The model of a row, to be restored."""
    return _made(TREE, settings) if settings.hierarchy and settings.model not in FUSERS else learner(settings)


def learner(settings: Settings) -> Learner:
    """The model of a flat row, not yet trained."""
    return _made(MODELS[settings.model].place, settings)


def _made(place: str, settings: Settings) -> Learner:
    module, name = place.split(":")
    model: Learner = getattr(import_module(module), name)(settings)
    return model


@dataclass(frozen=True)
class Fitted:
    """A trained model, with what makes probabilities of its logits.

    counts: (c,) training rows of each of the level's classes; trained: (t,) those that it was taught. nothing: (t,) its logits of a row
    that shows it nothing, which are the classes' shares, and no temperature sharpens.
    """

    model: Model
    counts: Ints
    trained: Ints
    temperature: float
    nothing: Floats

    def probabilities(self, data: Data, rows: Ints, tau: float = 0.0) -> Floats:
        """(len(rows), c) of catalog rows as the data show them, rows of 0 for classes never taught. tau: of the logit adjustment."""
        blocks = list(self.blocks(data, rows, tau))
        return np.concatenate(blocks) if blocks else np.zeros((0, len(self.counts)), np.float32)

    def blocks(self, data: Data, rows: Ints, tau: float = 0.0) -> Iterator[Floats]:
        """The same, BLOCK rows at a time."""
        for part in np.split(rows, range(BLOCK, len(rows), BLOCK)):
            logits = self.model.logits(data, part) / np.float32(self.temperature)
            logits[np.isnan(logits[:, 0])] = self.nothing
            full = np.zeros((len(part), len(self.counts)), np.float32)
            full[:, self.trained] = np.exp(log_softmax(adjust(logits, self.counts[self.trained], tau) if tau else logits))
            yield full


def fit(data: Data, settings: Settings, problem: Problem) -> Fitted:
    """Train a row's model on the training rows. Raises NotRun where it lacks what it needs."""
    rows = problem.train
    trained, labels = np.unique(problem.labels[rows], return_inverse=True)
    if settings.balanced:
        chosen = balanced(labels, np.random.default_rng([settings.seed, 1]))
        rows, labels = rows[chosen], labels[chosen]
    generator = torch.Generator().manual_seed(settings.seed)
    model = learner(settings).fit(data, rows, labels, len(trained), generator)
    temperature = temperature_of(model, data, problem, trained)
    return Fitted(model, problem.counts, trained, temperature, prior(labels, len(trained)))


def temperature_of(model: Model, data: Data, problem: Problem, trained: Ints) -> float:
    """Fitted on the validation rows whose class was trained, of very many on an even choice: one number needs no more."""
    rows = problem.validation[np.isin(problem.labels[problem.validation], trained)]
    if not len(rows):
        return 1.0
    rows = rows[:: max(1, len(rows) // CALIBRATED)]
    logits = model.logits(data, rows)
    answered = ~np.isnan(logits[:, 0])
    return fit_temperature(logits[answered], np.searchsorted(trained, problem.labels[rows[answered]]))
