"""Rows of the hierarchical nets: one net on a model's frozen features answers on every level at once."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import torch

from repr.arrays import Floats, Ints
from repr.classify.data import Data, Features, Problem
from repr.classify.fitted import Fitted, temperature_of
from repr.classify.flat_rows import measured
from repr.classify.hierarchy.decode import decode
from repr.classify.hierarchy.fit import HierarchicalModel, fit_hierarchy
from repr.classify.hierarchy.metrics import hierarchical, mistake_height
from repr.classify.hierarchy.tree import Tree
from repr.classify.levels import Levels, finest, level_labels
from repr.classify.longtail import balanced
from repr.classify.outcome import Outcome
from repr.classify.prior import prior
from repr.classify.settings import Settings
from repr.classify.tree_model import FrozenInputs, TreeLevel
from repr.errors import UserError
from repr.models.devices import pick_device

EPOCHS = 20


@dataclass(frozen=True)
class Trained:
    """A net with what makes probabilities of its logits. problems, fitted, in the order of `found.levels`: training and validation rows of
    a problem are those whose label on the level the net was told. settings: of the row that it was trained for, whatever its level.
    test: catalog rows; paths: (test rows, levels), down the tree, likeliest as a whole."""

    settings: Settings
    found: Levels
    test: Ints
    problems: list[Problem]
    fitted: list[Fitted]
    paths: Ints
    fit_seconds: float


def run_tree(data: Data, settings: Settings) -> Outcome:
    """Train (once for all levels) and measure on `settings.level`. Raises NotRun without weights, UserError without such a level."""
    kept = data.memory.get("tree")
    if not isinstance(kept, Trained) or replace(kept.settings, level=settings.level).relevant() != settings.relevant():
        kept = data.memory["tree"] = _train(data, settings)
    return _outcome(data, settings, kept)


def _train(data: Data, settings: Settings) -> Trained:
    started = time.perf_counter()
    found = level_labels(data)
    whole = data.problem(found.levels[0], seed=settings.seed, finest=finest(found.labels))
    known = _told(found.labels, whole, settings)
    inputs = FrozenInputs.learn(data, settings, whole.train, finest(known[whole.train]))
    features = inputs(data)
    net = _fit(settings, features, known, found, whole)
    seconds = time.perf_counter() - started
    note = f"frozen {features.name}" + (f"; fine labels of {100 * settings.fine_share:g} %" if settings.fine_share < 1 else "")
    problems, fitted = [], []
    for place, level in enumerate(found.levels):
        problem = _problem(place, found, known, whole)
        model = TreeLevel.of(replace(settings, level=level), inputs, net, place, note)
        classes = np.arange(len(problem.names))
        counts = np.maximum(problem.counts, 1)  # none is never answered: the logit adjustment divides by them
        temperature = temperature_of(model, data, problem, classes)
        fitted.append(Fitted(model, counts, classes, temperature, _nothing(place, found, known, whole)))
        problems.append(problem)
    paths = decode([one.probabilities(data, whole.test, settings.adjust) for one in fitted], net.tree)
    return Trained(settings, found, whole.test, problems, fitted, paths, seconds)


def _fit(settings: Settings, features: Features, known: Ints, found: Levels, whole: Problem) -> HierarchicalModel:
    """The net, trained on the training rows that show anything, with the labels that it is told: known, (n, levels)."""
    rows = features.known(whole.train)
    if settings.balanced:
        rows = rows[balanced(finest(known[rows]), np.random.default_rng([settings.seed, 1]))]
    tree = Tree.of(found.labels[(found.labels >= 0).all(axis=1)])
    weak = settings.weak if (known[rows] < 0).any() else "masked"  # residual classes that no row has would not be trained
    return fit_hierarchy(
        settings.hierarchy, features.vectors[rows], known[rows], tree, **settings.training(EPOCHS),
        generator=torch.Generator().manual_seed(settings.seed), device=pick_device(settings.device), weak=weak,
    )  # fmt: skip


def _nothing(place: int, found: Levels, known: Ints, whole: Problem) -> Floats:
    """What rows with nothing to see get on a level: the logarithms of the shares of the classes that training was told."""
    told = known[whole.train, place]
    return prior(told[told >= 0], len(found.names[place]))


def _problem(place: int, found: Levels, known: Ints, whole: Problem) -> Problem:
    """A level's task: trained and validated on the rows whose label on it is told, tested on those that have one of their own."""
    column = known[:, place]
    train, validated = (part[column[part] >= 0] for part in (whole.train, whole.validation))
    tested = whole.test[found.own[whole.test, place] >= 0]
    return Problem(found.levels[place], found.labels[:, place], found.names[place], train, validated, tested, whole.held_out)


def _told(labels: Ints, whole: Problem, settings: Settings) -> Ints:
    """The labels that training and temperature may see: below the coarsest level those of a share `fine_share` of either part's rows."""
    known = labels.copy()
    rng = np.random.default_rng([settings.seed, 2])
    for rows in (whole.train, whole.validation):
        known[rng.permutation(rows)[max(1, round(settings.fine_share * len(rows))) :], 1:] = -1
    return known


def _outcome(data: Data, settings: Settings, trained: Trained) -> Outcome:
    """The row of one level. Accuracies are of the level's own output; `top1_path` is of the path that the tree allows."""
    found = trained.found
    if settings.level not in found.levels:
        message = f"level {settings.level} has no classes beyond those of the level above"
        raise UserError(message, data.catalog.name, "Choose another `level`")
    place = found.levels.index(settings.level)
    problem = trained.problems[place]
    if not len(problem.test):
        message = f"no test row has a label on level {settings.level}"
        raise UserError(message, data.catalog.name, "Choose another `level`, or split the data")
    outcome = measured(data, settings, problem, trained.fitted[place], trained.fit_seconds)
    truth, paths = found.own[trained.test], trained.paths
    own = truth[:, place] >= 0
    along = {
        **hierarchical(truth, np.where(truth >= 0, paths, -1)),  # what a row's label does not say is not judged
        "mistake_height": mistake_height(truth, paths),
        "top1_path": float((paths[own, place] == truth[own, place]).mean()),
    }
    return replace(outcome, along=along)
