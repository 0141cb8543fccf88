"""Late fusion along the class tree: a hierarchical net on each modality's frozen features, and what is learnt on their probabilities level
by level.

As in `model.py`, fusion learns from the nets' answers out of fold, calibrated on rows that are in no fold. A net answers on all levels at
once, so that each fold has one net a modality.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from repr.arrays import Floats, Ints
from repr.classify.data import Data, hold_out
from repr.classify.fitted import Fitted
from repr.classify.folds import FOLDS, divide
from repr.classify.late.model import Late, fit_fuser, member, shown
from repr.classify.levels import finest
from repr.classify.settings import Settings
from repr.classify.tree_fit import fit_levels
from repr.classify.tree_task import Task, calibrated


@dataclass(frozen=True)
class Base:
    """A net that is fused, trained on all rows, a model a level; and its probabilities of these rows out of fold, (n, c) a level."""

    fitted: list[Fitted]
    out_of_fold: list[Floats]


def fit_fused_levels(data: Data, settings: Settings, task: Task) -> list[Fitted]:
    """A fused model for each level of the task. Raises NotRun where a net lacks weights."""
    finest_known = finest(task.known)
    rng = np.random.default_rng([settings.seed, 5])
    train, held = hold_out(task.whole.train, finest_known, data.titles, rng)
    part = replace(task, whole=replace(task.whole, train=train, validation=held, test=train[:0], held_out=True))
    fold = divide(replace(part.whole, labels=finest_known), data.titles, FOLDS, settings.seed)
    members = [member(settings, modality) for modality in ("image", "text")]
    bases = [_base(data, modality_settings, part, fold) for modality_settings in members]
    complete = np.stack([shown(base.fitted[0], data, train) for base in bases]).all(axis=0)
    models = []
    for place, level in enumerate(task.levels.levels):
        labels = task.known[train, place]
        chosen = complete & (labels >= 0)
        probabilities = np.stack([base.out_of_fold[place][chosen] for base in bases])
        fuser = fit_fuser(settings, probabilities, labels[chosen], torch.Generator().manual_seed(settings.seed))
        models.append(Late.of(replace(settings, level=level), [base.fitted[place] for base in bases], fuser, len(task.levels.names[place])))
    return calibrated(data, task, models)


def _base(data: Data, settings: Settings, task: Task, fold: Ints) -> Base:
    """A net and its answers, shared by all rows of the grid that fuse it, whatever their level. fold: (n,) of the training rows."""
    key = f"tree base {replace(settings, level=task.levels.levels[0]).relevant()} {hash(task.whole.train.tobytes())}"
    base = data.memory.get(key)
    if not isinstance(base, Base):
        base = data.memory[key] = Base(fit_levels(data, settings, task), _out_of_fold(data, settings, task, fold))
    return base


def _out_of_fold(data: Data, settings: Settings, task: Task, fold: Ints) -> list[Floats]:
    rows = task.whole.train
    probabilities = [np.zeros((len(rows), len(names)), np.float32) for names in task.levels.names]
    for number in range(FOLDS):
        inside = fold == number
        part = replace(task, whole=replace(task.whole, train=rows[~inside]))
        for of_level, fitted in zip(probabilities, fit_levels(data, settings, part), strict=True):
            of_level[inside] = fitted.probabilities(data, rows[inside])
    return probabilities
