"""Rows of the hierarchical nets: one net on a model's frozen features answers on every level at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from repr.arrays import Bools, Floats, Ints
from repr.classify import MODELS
from repr.classify.data import Data, Features, Problem
from repr.classify.hierarchy.decode import decode
from repr.classify.hierarchy.fit import fit_hierarchy
from repr.classify.hierarchy.metrics import hierarchical, mistake_height
from repr.classify.hierarchy.tree import Tree
from repr.classify.image import image_features
from repr.classify.longtail import adjust, balanced
from repr.classify.metrics import Measured, measure
from repr.classify.prior import prior
from repr.classify.settings import Settings
from repr.classify.text_features import text_encoder
from repr.classify.trials import Trial, describe
from repr.errors import UserError
from repr.evaluation.calibration import fit_temperature, log_softmax
from repr.models.devices import pick_device

EPOCHS = 20
TINY = 1e-12  # of a probability, before its logarithm


@dataclass(frozen=True)
class Answers:
    """A trained net's answers. problems, temperatures, plain, adjusted: one entry a level in `levels`."""

    levels: tuple[int, ...]
    labels: Ints  # (n, levels) of every catalog row, -1 where it has no class of its own
    test: Ints  # catalog rows
    problems: list[Problem]  # training and validation: the rows whose label on the level the net was told
    temperatures: list[float]
    plain: list[Floats]  # logits of the test rows over the temperature, (test rows, classes of the level)
    adjusted: list[Floats]  # the same after logit adjustment
    paths: Ints  # (test rows, levels), decoded from `adjusted`
    missing: dict[str, list[Ints]]  # what is left out of every test row → one entry a level, (test rows,), what is then answered
    unknown: Bools | None  # (test rows,) those with a text of which no term is known; None without a list of terms
    note: str
    seconds: float
    fit_seconds: float


def run_tree(data: Data, settings: Settings) -> Trial:
    """Train (once for all levels) and measure on `settings.level`. Raises NotRun without weights, UserError without such a level."""
    key = {**settings.relevant(), "level": 0}
    kept = data.memory.get("tree")
    if kept is None or kept[0] != key:
        kept = data.memory["tree"] = (key, _train(data, settings))
    return _measured(data, settings, kept[1])


@dataclass(frozen=True)
class Levels:
    """The levels that part the rows further, coarse first. labels: (n, levels) dense, -1 for unknown; names: of each level's classes.

    A class that no row shows a class below stands for itself on the next level, after the real classes there, as a catalog's
    level 3 does; real: each level's classes that are none of these.
    """

    levels: tuple[int, ...]
    labels: Ints
    names: tuple[tuple[str, ...], ...]
    real: tuple[int, ...]

    @property
    def own(self) -> Ints:
        """(n, levels) the labels without those that stand in: what rows are measured by."""
        return np.where(self.labels < np.array(self.real), self.labels, -1)


def level_labels(data: Data) -> Levels:
    """The levels of the data that a net can answer on. Raises UserError when no level has two classes."""
    levels: list[int] = []
    columns: list[Ints] = []
    names: list[tuple[str, ...]] = []
    real: list[int] = []
    for level in (1, 2, 3):
        try:
            labels, of_level = data.catalog.labels(level)
        except UserError:
            continue
        number = len(of_level)
        if columns:
            above = columns[-1]
            childless = np.setdiff1d(above[above >= 0], above[(above >= 0) & (labels >= 0)])
            alone = np.isin(above, childless)
            labels = labels.copy()
            labels[alone] = number + np.searchsorted(childless, above[alone])
            of_level = (*of_level, *(names[-1][code] for code in childless))
        if len(of_level) > (len(names[-1]) if names else 1):
            levels.append(level)
            columns.append(labels)
            names.append(of_level)
            real.append(number)
    if not levels:
        raise UserError("no level has two classes", data.catalog.name, "Choose another part of the data")
    return Levels(tuple(levels), np.stack(columns, axis=1), tuple(names), tuple(real))


def finest(labels: Ints) -> Ints:
    """(n,) dense number of each row's deepest known class; labels: (n, levels), coarse first, -1 for none, a known one on the first."""
    depth = (labels >= 0).sum(axis=1) - 1
    pairs = np.stack([depth, labels[np.arange(len(labels)), depth]], axis=1)
    return np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


class FrozenInputs:
    """What the nets learn from: the frozen features of the model's modalities, side by side.

    A modality that a row lacks is filled with its mean over the training rows: it then says nothing.
    """

    def __init__(self, data: Data, settings: Settings, rows: Ints, labels: Ints) -> None:
        self._make: dict[str, Callable[[Data], Features]] = {}
        if "image" in MODELS[settings.model].modality:
            images = image_features(data, settings)
            self._make["image"] = lambda _: images
        if "text" in MODELS[settings.model].modality:
            named = replace(settings, text_encoder=settings.encoder)
            self._make["text"] = text_encoder(data, named, rows, labels, int(labels.max()) + 1)
        self._whole = {name: make(data) for name, make in self._make.items()}
        self._mean = {name: features.vectors[features.known(rows)].mean(axis=0) for name, features in self._whole.items()}

    def __call__(self, data: Data) -> Features:
        """Of every catalog row, (n, d), with the means for what it lacks or the data hides; present: the rows with anything left."""
        columns, present, found = [], np.zeros(len(data.catalog), bool), []
        for name, make in self._make.items():
            features = make(data) if name == "text" and data.hidden & {"title", "ocr"} else self._whole[name]
            there = features.present & (name not in data.hidden)
            columns.append(np.where(there[:, None], features.vectors, self._mean[name]))
            present |= there
            found.append(features)
        unknown = found[-1].unknown
        return Features(np.concatenate(columns, axis=1), present, " + ".join(features.name for features in found), unknown)


def _train(data: Data, settings: Settings) -> Answers:
    started = time.perf_counter()
    found = level_labels(data)
    levels, labels, own = found.levels, found.labels, found.own
    whole = data.problem(levels[0], seed=settings.seed, finest=finest(labels))
    known = _told(labels, whole, settings)
    generator = torch.Generator().manual_seed(settings.seed)
    inputs = FrozenInputs(data, settings, whole.train, finest(known[whole.train]))
    features = inputs(data)
    rows = features.known(whole.train)
    if settings.balanced:
        rows = rows[balanced(finest(known[rows]), np.random.default_rng([settings.seed, 1]))]
    tree = Tree.of(labels[(labels >= 0).all(axis=1)])
    weak = settings.weak if (known[rows] < 0).any() else "masked"  # residual classes that no row has would not be trained
    model = fit_hierarchy(
        settings.hierarchy, features.vectors[rows], known[rows], tree, **settings.training(EPOCHS),
        generator=generator, device=pick_device(settings.device), weak=weak,
    )  # fmt: skip

    def answer(features: Features, part: Ints) -> list[Floats]:
        scores = model.probabilities(features.vectors[part])
        return [np.where(features.present[part][:, None], of_level, np.nan) for of_level in scores]

    def nothing(place: int) -> Floats:
        """What rows with nothing to see get: the logarithms of the classes' shares."""
        told = known[whole.train, place]
        return prior(told[told >= 0], len(found.names[place]))

    fitted = time.perf_counter() - started
    test, validation = answer(features, whole.test), answer(features, whole.validation)
    problems, temperatures, plain, adjusted = [], [], [], []
    for place, level in enumerate(levels):
        column = known[:, place]
        held = (column[whole.validation] >= 0) & features.present[whole.validation]
        train, validated = (part[column[part] >= 0] for part in (whole.train, whole.validation))
        tested = whole.test[own[whole.test, place] >= 0]
        problems.append(Problem(level, labels[:, place], found.names[place], train, validated, tested, whole.held_out))
        temperatures.append(fit_temperature(_logits(validation[place][held]), column[whole.validation[held]]))
        plain.append(_calibrated(test[place], temperatures[-1], nothing(place)))
        adjusted.append(_adjusted(plain[-1], problems[-1], settings))
    paths = decode([np.exp(log_softmax(logits)) for logits in adjusted], tree)
    note = f"frozen {features.name}" + (f"; fine labels of {100 * settings.fine_share:g} %" if settings.fine_share < 1 else "")
    seconds = time.perf_counter() - started
    missing = {
        name: [
            _adjusted(_calibrated(scores, temperatures[place], nothing(place)), problems[place], settings).argmax(axis=1)
            for place, scores in enumerate(answer(inputs(data.without(name)), whole.test))
        ]
        for name in settings.parts
    }
    unknown = None if features.unknown is None else features.unknown[whole.test]
    return Answers(levels, own, whole.test, problems, temperatures, plain, adjusted, paths, missing, unknown, note, seconds, fitted)


def _adjusted(logits: Floats, problem: Problem, settings: Settings) -> Floats:
    return adjust(logits, np.maximum(problem.counts, 1), settings.adjust) if settings.adjust else logits


def _told(labels: Ints, whole: Problem, settings: Settings) -> Ints:
    """The labels that training and temperature may see: below the coarsest level those of a share `fine_share` of either part's rows."""
    known = labels.copy()
    rng = np.random.default_rng([settings.seed, 2])
    for rows in (whole.train, whole.validation):
        known[rng.permutation(rows)[max(1, round(settings.fine_share * len(rows))) :], 1:] = -1
    return known


def _measured(data: Data, settings: Settings, answers: Answers) -> Trial:
    """The row of one level. Accuracies are of the level's own output; `top1_path` is of the path that the tree allows."""
    if settings.level not in answers.levels:
        raise UserError(
            f"level {settings.level} has no classes beyond those of the level above", data.catalog.name, "Choose another `level`"
        )
    place = answers.levels.index(settings.level)
    problem = answers.problems[place]
    if not len(problem.test):
        raise UserError(
            f"no test row has a label on level {settings.level}", data.catalog.name, "Choose another `level`, or split the data"
        )
    tested = np.isin(answers.test, problem.test)
    truth = answers.labels[answers.test]

    def measured_of(logits: Floats) -> Measured:
        return measure(truth[tested, place], lambda: iter([np.exp(log_softmax(logits[tested]))]), len(problem.names))

    measured = measured_of(answers.adjusted[place])
    plain = measured_of(answers.plain[place]) if settings.adjust else measured
    more: dict[str, Any] = {
        **hierarchical(truth, np.where(truth >= 0, answers.paths, -1)),  # what a row's label does not say is not judged
        "mistake_height": mistake_height(truth, answers.paths),
        "top1_path": float((answers.paths[tested, place] == truth[tested, place]).mean()),
        "temperature": answers.temperatures[place],
        "seconds": answers.seconds,
        "fit_seconds": answers.fit_seconds,
        "note": answers.note,
        "missing": {
            f"without_{name}": float((found[place][tested] == truth[tested, place]).mean()) for name, found in answers.missing.items()
        },
    }
    unknown = None if answers.unknown is None else int(answers.unknown[tested].sum())
    return Trial(settings, describe(settings, data, problem, measured, plain, unknown) | more, measured, problem)


def _logits(probabilities: Floats) -> Floats:
    return np.log(np.maximum(probabilities, TINY)).astype(np.float32)


def _calibrated(probabilities: Floats, temperature: float, nothing: Floats) -> Floats:
    """(n, c) logits over the temperature; rows of NaN, which show nothing, get `nothing` (c,)."""
    return np.where(np.isnan(probabilities[:, :1]), nothing, _logits(probabilities) / np.float32(temperature))
