"""Rows of one model on one level: trained, its temperature fitted on the validation rows, measured on the test rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Protocol

import numpy as np
import torch

from repr.arrays import Floats, Ints
from repr.classify import MODELS
from repr.classify.data import Data, Problem
from repr.classify.longtail import adjust, balanced
from repr.classify.metrics import Blocks, Measured, measure
from repr.classify.outcome import Outcome
from repr.classify.prior import prior
from repr.classify.settings import Settings
from repr.evaluation.calibration import fit_temperature, log_softmax

BLOCK = 8192  # rows scored at a time
KEPT = 5e7  # probabilities of a test part that are kept, 200 MB
CALIBRATED = 20_000  # validation rows for the temperature; a tenth of three million with 599 logits each took 1.5 GB


class Classifier(Protocol):
    """What a model is: learns from rows of the data, gives logits of others, NaN where a row has nothing that it sees."""

    note: str  # what a reader of the row must know, "" for nothing

    def fit(self, data: Data, rows: Ints, labels: Ints, classes: int, generator: torch.Generator) -> Classifier:
        """Learn from catalog rows (n,) with labels (n,) in 0..classes-1, and return itself."""

    def logits(self, data: Data, rows: Ints) -> Floats:
        """(len(rows), classes)."""


def run_flat(data: Data, settings: Settings) -> Outcome:
    """Train and measure one row on one split. Raises NotRun where a model lacks what it needs, UserError for a level without labels."""
    problem = data.problem(settings.level, seed=settings.seed)
    started = time.perf_counter()
    trained, labels = np.unique(problem.labels[problem.train], return_inverse=True)
    rows = problem.train
    if settings.balanced:
        chosen = balanced(labels, np.random.default_rng([settings.seed, 1]))
        rows, labels = rows[chosen], labels[chosen]
    generator = torch.Generator().manual_seed(settings.seed)
    model = load(settings).fit(data, rows, labels, len(trained), generator)
    fitted = time.perf_counter() - started
    temperature = _temperature(model, data, problem, trained)
    answers = _Answers(model, problem, trained, temperature, prior(labels, len(trained)))
    truth, classes = problem.labels[problem.test], len(problem.names)
    measured = _measure(truth, answers.blocks(data, settings.adjust), classes)
    plain = _measure(truth, answers.blocks(data), classes) if settings.adjust else measured
    seconds = time.perf_counter() - started
    unknown = _unknown(model, data, problem.test)
    missing = {name: _top1(truth, answers.blocks(data.without(name), settings.adjust)) for name in settings.parts}
    return Outcome(problem, measured, plain, temperature, missing, unknown, model.note, seconds, fitted)


def load(settings: Settings) -> Classifier:
    """The model of a row, not yet trained."""
    module, name = MODELS[settings.model].place.split(":")
    model: Classifier = getattr(import_module(module), name)(settings)
    return model


class _Answers:
    """A trained model's probabilities of the test rows. trained: (t,) the classes it was taught; nothing: (t,) its logits of a row that
    shows it nothing, which are the classes' shares, and no temperature sharpens."""

    def __init__(self, model: Classifier, problem: Problem, trained: Ints, temperature: float, nothing: Floats) -> None:
        self.model, self.problem, self.trained, self.temperature, self.nothing = model, problem, trained, temperature, nothing

    def blocks(self, data: Data, tau: float = 0.0) -> Blocks:
        """Blocks of (b, classes) of the rows as the data show them. tau: of the logit adjustment, 0 for none."""
        counts, classes = self.problem.counts[self.trained], len(self.problem.names)

        def scored() -> Iterator[Floats]:
            """Probabilities (b, classes) of the test rows, block by block."""
            for part in np.split(self.problem.test, range(BLOCK, len(self.problem.test), BLOCK)):
                logits = self.model.logits(data, part) / np.float32(self.temperature)
                logits[np.isnan(logits[:, 0])] = self.nothing
                full = np.zeros((len(part), classes), np.float32)
                full[:, self.trained] = np.exp(log_softmax(adjust(logits, counts, tau) if tau else logits))
                yield full

        return scored


def _measure(truth: Ints, blocks: Blocks, classes: int) -> Measured:
    """`measure` reads the probabilities twice: those that fit are kept, so that no model is asked a second time."""
    if len(truth) * classes > KEPT:
        return measure(truth, blocks, classes)
    kept = list(blocks())
    return measure(truth, lambda: iter(kept), classes)


def _temperature(model: Classifier, data: Data, problem: Problem, trained: Ints) -> float:
    """Fitted on the validation rows whose class was trained, of very many on an even choice: one number needs no more."""
    rows = problem.validation[np.isin(problem.labels[problem.validation], trained)]
    if not len(rows):
        return 1.0
    rows = rows[:: max(1, len(rows) // CALIBRATED)]
    logits = model.logits(data, rows)
    seen = ~np.isnan(logits[:, 0])
    return fit_temperature(logits[seen], np.searchsorted(trained, problem.labels[rows[seen]]))


def _unknown(model: Classifier, data: Data, rows: Ints) -> int | None:
    unknown: Callable[[Data, Ints], int | None] | None = getattr(model, "unknown", None)
    return unknown(data, rows) if unknown else None


def _top1(truth: Ints, blocks: Blocks) -> float:
    predicted = np.concatenate([scores.argmax(axis=1) for scores in blocks()])
    return float((predicted == truth).mean())
