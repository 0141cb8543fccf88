"""Rows of the hierarchical nets: one net on a model's frozen features, or one on each modality's and late fusion of both, answers on every
level at once."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from importlib import import_module

import numpy as np

from repr.arrays import Ints
from repr.classify.data import Data
from repr.classify.fitted import Fitted
from repr.classify.flat_rows import measured
from repr.classify.hierarchy.decode import decode
from repr.classify.hierarchy.metrics import hierarchical, mistake_height
from repr.classify.late import FUSERS
from repr.classify.outcome import Outcome
from repr.classify.settings import Settings
from repr.classify.tree_task import Task, task_of
from repr.errors import UserError

ALONE, FUSED = "repr.classify.tree_fit:fit_levels", "repr.classify.late.levels:fit_fused_levels"


@dataclass(frozen=True)
class Trained:
    """A row's models, one a level. settings: of the row that they were trained for, whatever its level.

    paths: (test rows, levels), down the tree, likeliest as a whole.
    """

    settings: Settings
    task: Task
    fitted: list[Fitted]
    paths: Ints
    fit_seconds: float


def run_tree(data: Data, settings: Settings) -> Outcome:
    """Train (once for all levels) and measure on `settings.level`. Raises NotRun without weights, UserError without such a level."""
    trained = data.memory.get("tree")
    if not isinstance(trained, Trained) or replace(trained.settings, level=settings.level).relevant() != settings.relevant():
        trained = data.memory["tree"] = _train(data, settings)
    return _outcome(data, settings, trained)


def _train(data: Data, settings: Settings) -> Trained:
    started = time.perf_counter()
    task = task_of(data, settings)
    fitted = _fit(data, settings, task)
    seconds = time.perf_counter() - started
    paths = decode([one.probabilities(data, task.whole.test, settings.adjust) for one in fitted], task.tree)
    return Trained(settings, task, fitted, paths, seconds)


def _fit(data: Data, settings: Settings, task: Task) -> list[Fitted]:
    """A model for each level of the task; what trains them is loaded when it is asked for, as models are."""
    module, name = (FUSED if settings.model in FUSERS else ALONE).split(":")
    fitted: list[Fitted] = getattr(import_module(module), name)(data, settings, task)
    return fitted


def _outcome(data: Data, settings: Settings, trained: Trained) -> Outcome:
    """The row of one level. Accuracies are of the level's own output; `top1_path` is of the path that the tree allows."""
    task = trained.task
    if settings.level not in task.levels.levels:
        message = f"level {settings.level} has no classes beyond those of the level above"
        raise UserError(message, data.catalog.name, "Choose another `level`")
    place = task.levels.levels.index(settings.level)
    problem = task.problem(place)
    if not len(problem.test):
        message = f"no test row has a label on level {settings.level}"
        raise UserError(message, data.catalog.name, "Choose another `level`, or split the data")
    outcome = measured(data, settings, problem, trained.fitted[place], trained.fit_seconds)
    truth, paths = task.levels.own[task.whole.test], trained.paths
    own = truth[:, place] >= 0
    along = {
        **hierarchical(truth, np.where(truth >= 0, paths, -1)),  # what a row's label does not say is not judged
        "mistake_height": mistake_height(truth, paths),
        "top1_path": float((paths[own, place] == truth[own, place]).mean()),
    }
    return replace(outcome, along=along)
