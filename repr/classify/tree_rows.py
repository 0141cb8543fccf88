"""Rows of the hierarchical nets: one net on a model's frozen features answers on every level at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from repr.classify import MODELS
from repr.classify.calibration import Floats, Ints, fit_temperature, log_softmax
from repr.classify.cells import Cell, describe
from repr.classify.data import Data, Features, Problem
from repr.classify.fusion import ENCODERS, text_features
from repr.classify.hierarchy.decode import decode
from repr.classify.hierarchy.fit import HierarchicalModel, fit_hierarchy
from repr.classify.hierarchy.metrics import hierarchical, mistake_height
from repr.classify.hierarchy.tree import Tree
from repr.classify.longtail import adjust, balanced
from repr.classify.metrics import measure
from repr.classify.picture import picture_features
from repr.classify.settings import Settings
from repr.errors import UserError

EPOCHS = 20
TINY = 1e-12  # of a probability, before its logarithm


@dataclass(frozen=True)
class Answers:
    """A trained net's answers, one entry a level in `levels`: probabilities of validation and test rows; test paths along the tree."""

    levels: tuple[int, ...]
    problem: Problem  # of the coarsest level
    labels: Ints  # (n, levels) of every catalog row
    validation: list[Floats]
    test: list[Floats]
    paths: Ints  # (test rows, levels)
    note: str
    seconds: float


def run_tree(data: Data, settings: Settings) -> Cell:
    """Train (once for all levels) and measure on `settings.level`. Raises NotRun without weights, UserError without such a level."""
    key = {**settings.relevant(), "level": 0}
    kept = data.memory.get("tree")
    if kept is None or kept[0] != key:
        kept = data.memory["tree"] = (key, _train(data, settings))
    return _measured(data, settings, kept[1])


def level_labels(data: Data) -> tuple[tuple[int, ...], Ints]:
    """The levels that part the rows further, coarse first, and (n, levels) dense labels of every catalog row, -1 for none."""
    levels: list[int] = []
    columns: list[Ints] = []
    for level in (1, 2, 3):
        try:
            labels, names = data.catalog.labels(level)
        except UserError:
            continue
        if not columns or len(names) > columns[-1].max() + 1:
            levels.append(level)
            columns.append(labels)
    return tuple(levels), np.stack(columns, axis=1)


def frozen_features(data: Data, settings: Settings, rows: Ints, labels: Ints, generator: torch.Generator) -> Features:
    """What the nets learn from: the frozen features of the model's modality, for image + text side by side."""
    modality = MODELS[settings.model].modality
    found = []
    if "image" in modality:
        found.append(picture_features(data, settings))
    if "text" in modality:
        kind = settings.model if settings.model in ENCODERS else settings.text_encoder
        named = replace(settings, text_encoder=kind)
        found.append(text_features(data, named, rows, labels, int(labels.max()) + 1, generator))
    if len(found) == 1:
        return found[0]
    vectors = np.concatenate([_balanced(features, rows) for features in found], axis=1)
    present = np.logical_or(*(features.present for features in found))
    return Features(vectors, present, " + ".join(features.name for features in found))


def _balanced(features: Features, rows: Ints) -> Floats:
    """Vectors divided by their root mean square over the training rows, so that neither modality outweighs the other."""
    known = features.vectors[rows[features.present[rows]]]
    return features.vectors / np.float32(np.sqrt(np.mean(np.square(known, dtype=np.float64))) or 1)


def _train(data: Data, settings: Settings) -> Answers:
    started = time.perf_counter()
    levels, labels = level_labels(data)
    problem = data.problem(levels[0], seed=settings.seed, limit=settings.limit)
    generator = torch.Generator().manual_seed(settings.seed)
    features = frozen_features(data, settings, problem.train, labels[problem.train, 0], generator)
    rows = problem.train[features.present[problem.train]]
    if settings.balanced:
        _, finest = np.unique(labels[rows, -1], return_inverse=True)
        rows = rows[balanced(finest, np.random.default_rng([settings.seed, 1]))]
    known = labels[rows].copy()
    if settings.fine_share < 1 and len(levels) > 1:
        rng = np.random.default_rng([settings.seed, 2])
        kept = max(1, round(settings.fine_share * len(rows)))
        known[rng.permutation(len(rows))[kept:], 1:] = -1
    tree = Tree.of(labels[(labels >= 0).all(axis=1)])
    training = settings.training(EPOCHS)
    weak = settings.weak if settings.fine_share < 1 else "masked"
    model = fit_hierarchy(
        settings.hierarchy, features.vectors[rows], known, tree, **training,
        generator=generator, device=_device(settings), weak=weak,
    )  # fmt: skip
    test = model.probabilities(features.vectors[problem.test])
    validation = _of(model, features, problem.validation)
    note = f"frozen {features.name}" + (f"; fine labels of {100 * settings.fine_share:g} %" if settings.fine_share < 1 else "")
    return Answers(levels, problem, labels, validation, test, decode(test, tree), note, time.perf_counter() - started)


def _of(model: HierarchicalModel, features: Features, rows: Ints) -> list[Floats]:
    return model.probabilities(features.vectors[rows])


def _device(settings: Settings) -> torch.device:
    from repr.models.devices import pick_device

    return pick_device(settings.device)


def _measured(data: Data, settings: Settings, answers: Answers) -> Cell:
    """The row of one level. Accuracies are of the level's own output; `top1_path` is of the path that the tree allows."""
    if settings.level not in answers.levels:
        raise UserError(f"no labels on level {settings.level} beyond the level above", data.catalog.name, "Choose another --level")
    place = answers.levels.index(settings.level)
    column = answers.labels[:, place]
    whole = answers.problem
    test = column[whole.test] >= 0
    validation = column[whole.validation] >= 0
    _, names = data.catalog.labels(settings.level)
    parts = [rows[column[rows] >= 0] for rows in (whole.train, whole.validation, whole.test)]
    problem = Problem(settings.level, column, names, parts[0], parts[1], parts[2])
    own = _logits(answers.validation[place][validation])
    temperature = fit_temperature(own, column[problem.validation])
    logits = _logits(answers.test[place][test]) / np.float32(temperature)
    if settings.adjust:
        logits = adjust(logits, np.maximum(problem.counts, 1), settings.adjust)

    def blocks() -> Iterator[Floats]:
        yield np.exp(log_softmax(logits))

    measured = measure(column[problem.test], blocks, len(names))
    truth = answers.labels[whole.test]
    path: dict[str, Any] = hierarchical(truth, answers.paths)
    path |= {
        "mistake_height": mistake_height(truth, answers.paths),
        "top1_path": float((answers.paths[test, place] == truth[test, place]).mean()),
    }
    more = {"temperature": temperature, "seconds": answers.seconds, "fit_seconds": answers.seconds, "note": answers.note, "missing": {}}
    return Cell(settings, describe(settings, data, problem, measured) | path | more, measured, problem)


def _logits(probabilities: Floats) -> Floats:
    return np.log(np.maximum(probabilities, TINY)).astype(np.float32)
