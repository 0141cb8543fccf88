"""Rows of one model on one level: trained, its temperature fitted on the validation rows, measured on the test rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from repr.arrays import Ints
from repr.classify.data import Data, Problem
from repr.classify.fitted import Fitted, Model, fit
from repr.classify.hierarchy.metrics import hierarchical, mistake_height
from repr.classify.levels import Levels, level_labels
from repr.classify.metrics import Blocks, Measured, measure
from repr.classify.outcome import Outcome
from repr.classify.settings import Settings

KEPT = 5e7  # probabilities of a test part that are kept, 200 MB


def run_flat(data: Data, settings: Settings) -> Outcome:
    """Train and measure one row on one split. Raises NotRun where a model lacks what it needs, UserError for a level without labels."""
    problem = data.problem(settings.level, seed=settings.seed)
    started = time.perf_counter()
    fitted = fit(data, settings, problem)
    outcome = measured(data, settings, problem, fitted, time.perf_counter() - started)
    return replace(outcome, along=along(data, problem, outcome.measured.predicted))


def measured(data: Data, settings: Settings, problem: Problem, fitted: Fitted, fit_seconds: float) -> Outcome:
    """A trained model measured on the test rows of its level, whole and without each of its modalities."""
    started = time.perf_counter()
    truth, classes = problem.labels[problem.test], len(problem.names)

    def blocks(shown: Data, tau: float = 0.0) -> Blocks:
        """Probabilities of the test rows as the data show them, block by block."""
        return lambda: fitted.blocks(shown, problem.test, tau)

    figures = _measure(truth, blocks(data, settings.adjust), classes)
    plain = _measure(truth, blocks(data), classes) if settings.adjust else figures
    seconds = fit_seconds + time.perf_counter() - started
    unknown = _unknown(fitted.model, data, problem.test)
    missing = {name: _top1(truth, blocks(data.without(name), settings.adjust)) for name in settings.parts}
    return Outcome(problem, figures, plain, fitted.temperature, missing, unknown, fitted.model.note, seconds, fit_seconds, {}, fitted)


def along(data: Data, problem: Problem, predicted: Ints) -> dict[str, float | None]:
    """The measures along the class tree of flat answers, (test rows,) class numbers: over the levels down to theirs that part the rows.

    Empty where theirs is the only one. `top1_path` is the top-1 itself: a flat answer's path is that of its class.
    """
    levels = data.memory.get("levels")
    if not isinstance(levels, Levels):
        levels = data.memory["levels"] = level_labels(data)
    if problem.level not in levels.levels[1:]:
        return {}
    depth = levels.levels.index(problem.level) + 1
    known = np.flatnonzero(problem.labels >= 0)
    paths = np.empty((len(problem.names), depth), np.int64)
    paths[problem.labels[known]] = levels.labels[known, :depth]
    truth, answered = levels.own[problem.test, :depth], paths[predicted]
    right = float((predicted == problem.labels[problem.test]).mean())
    return {**hierarchical(truth, answered), "mistake_height": mistake_height(truth, answered), "top1_path": right}


def _measure(truth: Ints, blocks: Blocks, classes: int) -> Measured:
    """`measure` reads the probabilities twice: those that fit are kept, so that no model is asked a second time."""
    if len(truth) * classes > KEPT:
        return measure(truth, blocks, classes)
    probabilities = list(blocks())
    return measure(truth, lambda: iter(probabilities), classes)


def _unknown(model: Model, data: Data, rows: Ints) -> int | None:
    unknown: Callable[[Data, Ints], int | None] | None = getattr(model, "unknown", None)
    return unknown(data, rows) if unknown else None


def _top1(truth: Ints, blocks: Blocks) -> float:
    predicted = np.concatenate([scores.argmax(axis=1) for scores in blocks()])
    return float((predicted == truth).mean())
