"""Probabilities of training rows by models that never saw them: out of fold, whole titles on one side.

k models, each trained on k - 1 folds and asked for the one that it never saw; their temperatures come from the validation rows, which are
in no fold. What learns from these probabilities (noise pruning, fusion) sees no row that a base model was trained or chosen on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from repr.arrays import Bools, Floats, Ints
from repr.classify.data import Data, Problem, each_its_own
from repr.classify.fitted import Fitted, fit
from repr.classify.settings import Settings
from repr.errors import UserError

log = logging.getLogger(__name__)

FOLDS = 4  # Bi, Wang and Fan, A Multimodal Late Fusion Model, SIGIR eCom 2020, section 4.1
Fit = Callable[[Data, Settings, Problem], Fitted]


@dataclass(frozen=True)
class OutOfFold:
    """rows: (n,) the training rows, in the order of `Problem.train`. fold: (n,) 0..k-1. probabilities: (n, c).

    taught: (n,) whether the model that was asked for a row was taught the row's class at all.
    """

    rows: Ints
    fold: Ints
    probabilities: Floats
    taught: Bools


def divide(problem: Problem, titles: Ints, folds: int, seed: int) -> Ints:
    """(n,) the fold of every training row: classes spread evenly, rows of one title in one fold. titles: (catalog rows,), -1 for none.

    A class that a fold's training part lacks is told, and the work goes on. Raises UserError for fewer groups than folds.
    """
    rows = problem.train
    own = each_its_own(titles[rows])
    if len(np.unique(own)) < folds:
        raise UserError(f"{len(rows)} training rows in {len(np.unique(own))} groups cannot be divided", "", "Choose fewer `folds`")
    labels = problem.labels[rows]
    _, first, group = np.unique(own, return_index=True, return_inverse=True)
    order = np.random.default_rng([seed, 4]).permutation(len(first))
    order = order[np.argsort(labels[first[order]], kind="stable")]  # by the class of a group's first row, and dealt out like cards
    dealt = np.empty(len(first), np.int64)
    dealt[order] = np.arange(len(first)) % folds
    numbers = dealt[group.reshape(-1)]
    lacking = [len(np.setdiff1d(labels, labels[numbers != fold])) for fold in range(folds)]
    if any(lacking):
        counts = ", ".join(f"{count} for fold {fold}" for fold, count in enumerate(lacking) if count)
        log.info(f"Classes all of whose rows are in one fold, so that its model is not taught them: {counts}.")
    return numbers


def out_of_fold(data: Data, settings: Settings, problem: Problem, fold: Ints, fit: Fit = fit) -> OutOfFold:
    """Ask for every training row a model that was trained without its fold. fold: (n,) as `divide` gives it."""
    rows, labels = problem.train, problem.labels[problem.train]
    probabilities = np.zeros((len(rows), len(problem.names)), np.float32)
    taught = np.zeros(len(rows), bool)
    for number in range(int(fold.max()) + 1):
        inside = fold == number
        model = fit(data, settings, replace(problem, train=rows[~inside]))
        probabilities[inside] = model.probabilities(data, rows[inside])
        taught[inside] = np.isin(labels[inside], model.trained)
    return OutOfFold(rows, fold, probabilities, taught)
