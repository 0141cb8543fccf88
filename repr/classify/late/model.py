"""Decision-level fusion as a model: an image model and a text model, and what is learnt on their probabilities.

Zahavy et al. (2016) and Bi, Wang and Fan (SIGIR eCom 2020, section 3.3.2): a strategy learnt from the classes' probabilities. Here from
those out of fold, calibrated on rows that are in no fold: fusion learns from no row that its base models were trained or chosen on. Then
the base models are trained again on all of them. Where a row shows one modality alone, that model's own probabilities are the answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module

import numpy as np
import torch

from repr.arrays import Bools, Floats, Ints
from repr.classify.data import Data, Problem, hold_out
from repr.classify.fitted import Fitted, fit, load
from repr.classify.folds import FOLDS, divide, out_of_fold
from repr.classify.late import FUSERS
from repr.classify.late.fuser import Fuser
from repr.classify.prior import blank
from repr.classify.settings import Settings
from repr.classify.state import Restored, State
from repr.errors import UserError
from repr.learners.stored import Arrays

TINY = 1e-12  # of a probability, before its logarithm


@dataclass(frozen=True)
class Base:
    """A model that is fused: trained on all rows, and its probabilities (n, c) of them out of fold."""

    fitted: Fitted
    out_of_fold: Floats


class Late:
    """A row's image and text → its class, by one of FUSERS."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.note = ""

    @property
    def _members(self) -> tuple[Settings, Settings]:
        return tuple(member(self.settings, name) for name in ("image", "text"))  # type: ignore[return-value]

    def fit(self, data: Data, rows: Ints, labels: Ints, classes: int, generator: torch.Generator) -> Late:
        """Learn from catalog rows (n,) with labels (n,) in 0..classes-1. Raises NotRun where a base model lacks what it needs."""
        unique, first = np.unique(rows, return_index=True)
        problem = _problem(data, self.settings, unique, labels[first], classes)
        bases = [_base(data, settings, problem) for settings in self._members]
        self.bases_ = [base.fitted for base in bases]
        complete = np.stack([shown(base.fitted, data, problem.train) for base in bases]).all(axis=0)
        probabilities = np.stack([base.out_of_fold[complete] for base in bases])
        self.fuser_ = fit_fuser(self.settings, probabilities, problem.labels[problem.train[complete]], generator)
        self.classes_ = classes
        self.note = self._described
        return self

    @classmethod
    def of(cls, settings: Settings, bases: list[Fitted], fuser: Fuser, classes: int) -> Late:
        """Of base models, image and text, and what was learnt on their probabilities."""
        made = cls(settings)
        made.bases_, made.fuser_, made.classes_, made.note = bases, fuser, classes, made._described
        return made

    @property
    def _described(self) -> str:
        return f"{' + '.join(settings.model for settings in self._members)}, out of {FOLDS} folds"

    def logits(self, data: Data, rows: Ints) -> Floats:
        """(len(rows), classes) logarithms of probabilities; NaN for rows with neither image nor text."""
        present = np.stack([shown(base, data, rows) for base in self.bases_])
        probabilities = np.stack([base.probabilities(data, rows) for base in self.bases_])
        fused = blank(len(rows), self.classes_)
        both = present.all(axis=0)
        if both.any():
            fused[both] = self.fuser_.fuse(probabilities[:, both])
        for of_base, there in zip(probabilities, present, strict=True):
            fused[there & ~both] = of_base[there & ~both]
        return np.log(np.maximum(fused, TINY)).astype(np.float32)

    def state(self) -> State:
        """What it has learnt: the base models, and what was learnt on them."""
        state = self.fuser_.state().under("fuser") | State({"classes": np.array(self.classes_)})
        for settings, base in zip(self._members, self.bases_, strict=True):
            of_base: Arrays = {
                "counts": base.counts,
                "trained": base.trained,
                "nothing": base.nothing,
                "temperature": np.array(base.temperature),
            }
            state |= (State(of_base) | base.model.state().under("model")).under(settings.model)
        return state

    def restore(self, state: Restored) -> Late:
        """Take over what `state` gave."""
        self.classes_ = state.arrays.whole("classes")
        self.bases_ = []
        for settings in self._members:
            of_base = state.below(settings.model)
            arrays = of_base.arrays
            trained = arrays.ints("trained", None)
            model = load(settings).restore(of_base.below("model"))
            counts, nothing = arrays.ints("counts", self.classes_), arrays.floats("nothing", len(trained))
            self.bases_.append(Fitted(model, counts, trained, arrays.number("temperature"), nothing))
        self.fuser_ = _fuser(self.settings).restore(state.below("fuser"))
        return self


def member(settings: Settings, modality: str) -> Settings:
    """The row of a model that is fused, "image" or "text"."""
    model = settings.image_model if modality == "image" else settings.text_encoder
    return replace(settings, model=model, adjust=0.0)


def shown(fitted: Fitted, data: Data, rows: Ints) -> Bools:
    """(len(rows),) whether a row shows a model anything."""
    return ~np.isnan(fitted.model.logits(data, rows)[:, 0])


def fit_fuser(settings: Settings, probabilities: Floats, labels: Ints, generator: torch.Generator) -> Fuser:
    """What a row learns on probabilities (m, n, c) with labels (n,). Raises UserError for labels of fewer than two classes."""
    if len(np.unique(labels)) < 2:
        message = "the training rows with both an image and a text are of fewer than two classes"
        raise UserError(message, "", "Give data with both, or choose another `model`")
    return _fuser(settings).fit(probabilities, labels, generator)


def _problem(data: Data, settings: Settings, rows: Ints, labels: Ints, classes: int) -> Problem:
    """The rows parted: those that base models and fusion learn from, and those by which the base models are calibrated."""
    every = np.full(len(data.catalog), -1, np.int64)
    every[rows] = labels
    train, held = hold_out(rows, every, data.titles, np.random.default_rng([settings.seed, settings.level, 5]))
    return Problem(settings.level, every, tuple(map(str, range(classes))), train, held, rows[:0])


def _base(data: Data, settings: Settings, problem: Problem) -> Base:
    """A base model, shared by all rows of the grid that fuse it."""
    key = f"base {settings.relevant()} {hash(problem.train.tobytes())}"
    if key not in data.memory:
        fold = divide(problem, data.titles, FOLDS, settings.seed)
        judged = out_of_fold(data, settings, problem, fold)
        data.memory[key] = Base(fit(data, settings, problem), judged.probabilities)
    base = data.memory[key]
    assert isinstance(base, Base)
    return base


def _fuser(settings: Settings) -> Fuser:
    module, name = FUSERS[settings.model].split(":")
    made: Fuser = getattr(import_module(module), name)(settings)
    return made
