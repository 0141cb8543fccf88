"""Rows of the hierarchical nets: one net on a model's frozen features answers on every level at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from repr.arrays import Bools, Floats, Ints
from repr.classify import MODELS
from repr.classify.data import Data, Features, Problem
from repr.classify.hierarchy.decode import decode
from repr.classify.hierarchy.fit import HierarchicalModel, fit_hierarchy
from repr.classify.hierarchy.metrics import hierarchical, mistake_height
from repr.classify.hierarchy.tree import Tree
from repr.classify.image import image_features
from repr.classify.levels import Levels, finest, level_labels
from repr.classify.longtail import adjust, balanced
from repr.classify.metrics import Measured, measure
from repr.classify.outcome import Outcome
from repr.classify.prior import prior
from repr.classify.settings import Settings
from repr.classify.text_features import text_encoder
from repr.errors import UserError
from repr.evaluation.calibration import fit_temperature, log_softmax
from repr.models.devices import pick_device

EPOCHS = 20
TINY = 1e-12  # of a probability, before its logarithm


@dataclass(frozen=True)
class Answers:
    """A trained net's answers. problems, temperatures, plain, adjusted: one entry a level in `levels`."""

    settings: Settings  # of the row that it was trained for, whatever its level
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


def run_tree(data: Data, settings: Settings) -> Outcome:
    """Train (once for all levels) and measure on `settings.level`. Raises NotRun without weights, UserError without such a level."""
    kept = data.memory.get("tree")
    if not isinstance(kept, Answers) or replace(kept.settings, level=settings.level).relevant() != settings.relevant():
        kept = data.memory["tree"] = _train(data, settings)
    return _outcome(data, settings, kept)


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
    whole = data.problem(found.levels[0], seed=settings.seed, finest=finest(found.labels))
    known = _told(found.labels, whole, settings)
    inputs = FrozenInputs(data, settings, whole.train, finest(known[whole.train]))
    features = inputs(data)
    model = _fit(settings, features, known, found, whole)
    fitted = time.perf_counter() - started
    test, validation = (_answer(model, features, part) for part in (whole.test, whole.validation))
    problems, temperatures, plain, adjusted = [], [], [], []
    for place in range(len(found.levels)):
        held = (known[whole.validation, place] >= 0) & features.present[whole.validation]
        problems.append(_problem(place, found, known, whole))
        temperatures.append(fit_temperature(_logits(validation[place][held]), known[whole.validation[held], place]))
        plain.append(_calibrated(test[place], temperatures[-1], _nothing(place, found, known, whole)))
        adjusted.append(_adjusted(plain[-1], problems[-1], settings))
    paths = decode([np.exp(log_softmax(logits)) for logits in adjusted], model.tree)
    note = f"frozen {features.name}" + (f"; fine labels of {100 * settings.fine_share:g} %" if settings.fine_share < 1 else "")
    seconds = time.perf_counter() - started

    def without(name: str) -> list[Ints]:
        """Predictions of each level where a modality is missing."""
        scores = _answer(model, inputs(data.without(name)), whole.test)
        logits = [_calibrated(of, temperatures[i], _nothing(i, found, known, whole)) for i, of in enumerate(scores)]
        return [_adjusted(of, problem, settings).argmax(axis=1) for of, problem in zip(logits, problems, strict=True)]

    missing = {name: without(name) for name in settings.parts}
    unknown = None if features.unknown is None else features.unknown[whole.test]
    given = (problems, temperatures, plain, adjusted, paths, missing, unknown, note, seconds, fitted)
    return Answers(settings, found.levels, found.own, whole.test, *given)


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


def _answer(model: HierarchicalModel, features: Features, part: Ints) -> list[Floats]:
    """Probabilities of catalog rows `part` (p,), (p, classes) a level; NaN for rows that show nothing."""
    scores = model.probabilities(features.vectors[part])
    return [np.where(features.present[part][:, None], of_level, np.nan) for of_level in scores]


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


def _adjusted(logits: Floats, problem: Problem, settings: Settings) -> Floats:
    return adjust(logits, np.maximum(problem.counts, 1), settings.adjust) if settings.adjust else logits


def _told(labels: Ints, whole: Problem, settings: Settings) -> Ints:
    """The labels that training and temperature may see: below the coarsest level those of a share `fine_share` of either part's rows."""
    known = labels.copy()
    rng = np.random.default_rng([settings.seed, 2])
    for rows in (whole.train, whole.validation):
        known[rng.permutation(rows)[max(1, round(settings.fine_share * len(rows))) :], 1:] = -1
    return known


def _outcome(data: Data, settings: Settings, answers: Answers) -> Outcome:
    """The row of one level. Accuracies are of the level's own output; `top1_path` is of the path that the tree allows."""
    if settings.level not in answers.levels:
        message = f"level {settings.level} has no classes beyond those of the level above"
        raise UserError(message, data.catalog.name, "Choose another `level`")
    place = answers.levels.index(settings.level)
    problem = answers.problems[place]
    if not len(problem.test):
        message = f"no test row has a label on level {settings.level}"
        raise UserError(message, data.catalog.name, "Choose another `level`, or split the data")
    tested = np.isin(answers.test, problem.test)
    truth = answers.labels[answers.test]
    own = truth[tested, place]

    def measured_of(logits: Floats) -> Measured:
        """The measures of this level's logits."""
        return measure(own, lambda: iter([np.exp(log_softmax(logits[tested]))]), len(problem.names))

    measured = measured_of(answers.adjusted[place])
    return Outcome(
        problem,
        measured,
        measured_of(answers.plain[place]) if settings.adjust else measured,
        answers.temperatures[place],
        {name: float((found[place][tested] == own).mean()) for name, found in answers.missing.items()},
        None if answers.unknown is None else int(answers.unknown[tested].sum()),
        answers.note,
        answers.seconds,
        answers.fit_seconds,
        {
            **hierarchical(truth, np.where(truth >= 0, answers.paths, -1)),  # what a row's label does not say is not judged
            "mistake_height": mistake_height(truth, answers.paths),
            "top1_path": float((answers.paths[tested, place] == own).mean()),
        },
    )


def _logits(probabilities: Floats) -> Floats:
    return np.log(np.maximum(probabilities, TINY)).astype(np.float32)


def _calibrated(probabilities: Floats, temperature: float, nothing: Floats) -> Floats:
    """(n, c) logits over the temperature; rows of NaN, which show nothing, get `nothing` (c,)."""
    return np.where(np.isnan(probabilities[:, :1]), nothing, _logits(probabilities) / np.float32(temperature))
