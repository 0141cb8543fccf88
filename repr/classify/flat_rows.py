"""Rows of one model on one level: trained, its temperature fitted on the validation rows, measured on the test rows."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from repr.arrays import Ints
from repr.classify.data import Data, Problem
from repr.classify.fitted import Fitted, Model, fit
from repr.classify.metrics import Blocks, Measured, measure
from repr.classify.outcome import Outcome
from repr.classify.settings import Settings

KEPT = 5e7  # probabilities of a test part that are kept, 200 MB


def run_flat(data: Data, settings: Settings) -> Outcome:
    """Train and measure one row on one split. Raises NotRun where a model lacks what it needs, UserError for a level without labels."""
    problem = data.problem(settings.level, seed=settings.seed)
    started = time.perf_counter()
    fitted = fit(data, settings, problem)
    return measured(data, settings, problem, fitted, time.perf_counter() - started)


def measured(data: Data, settings: Settings, problem: Problem, fitted: Fitted, fit_seconds: float) -> Outcome:
    """A trained model measured on the test rows of its level, whole and without each of its modalities."""
    started = time.perf_counter()
    truth, classes = problem.labels[problem.test], len(problem.names)

    def blocks(seen: Data, tau: float = 0.0) -> Blocks:
        """Probabilities of the test rows as the data show them, block by block."""
        return lambda: fitted.blocks(seen, problem.test, tau)

    found = _measure(truth, blocks(data, settings.adjust), classes)
    plain = _measure(truth, blocks(data), classes) if settings.adjust else found
    seconds = fit_seconds + time.perf_counter() - started
    unknown = _unknown(fitted.model, data, problem.test)
    missing = {name: _top1(truth, blocks(data.without(name), settings.adjust)) for name in settings.parts}
    return Outcome(problem, found, plain, fitted.temperature, missing, unknown, fitted.model.note, seconds, fit_seconds, fitted)


def _measure(truth: Ints, blocks: Blocks, classes: int) -> Measured:
    """`measure` reads the probabilities twice: those that fit are kept, so that no model is asked a second time."""
    if len(truth) * classes > KEPT:
        return measure(truth, blocks, classes)
    kept = list(blocks())
    return measure(truth, lambda: iter(kept), classes)


def _unknown(model: Model, data: Data, rows: Ints) -> int | None:
    unknown: Callable[[Data, Ints], int | None] | None = getattr(model, "unknown", None)
    return unknown(data, rows) if unknown else None


def _top1(truth: Ints, blocks: Blocks) -> float:
    predicted = np.concatenate([scores.argmax(axis=1) for scores in blocks()])
    return float((predicted == truth).mean())
