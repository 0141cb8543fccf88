"""A hierarchical net trained on a model's frozen features: a model a level, each with its temperature."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from repr.classify.data import Data, Features
from repr.classify.fitted import Fitted
from repr.classify.hierarchy.fit import HierarchicalModel, fit_hierarchy
from repr.classify.levels import finest
from repr.classify.longtail import balanced
from repr.classify.settings import Settings
from repr.classify.tree_model import FrozenInputs, TreeLevel
from repr.classify.tree_task import Task, calibrated
from repr.models.devices import pick_device

EPOCHS = 20


def fit_levels(data: Data, settings: Settings, task: Task) -> list[Fitted]:
    """One net on the frozen features of the row's model, trained on the task's training rows: a model for each of its levels.

    Raises NotRun without weights.
    """
    train = task.whole.train
    inputs = FrozenInputs.learn(data, settings, train, finest(task.known[train]))
    features = inputs(data)
    net = _fit(settings, features, task)
    note = f"frozen {features.name}" + (f"; fine labels of {100 * settings.fine_share:g} %" if settings.fine_share < 1 else "")
    models = [TreeLevel.of(replace(settings, level=level), inputs, net, place, note) for place, level in enumerate(task.levels.levels)]
    return calibrated(data, task, models)


def _fit(settings: Settings, features: Features, task: Task) -> HierarchicalModel:
    """The net, trained on the training rows that show anything."""
    rows = features.known(task.whole.train)
    if settings.balanced:
        rows = rows[balanced(finest(task.known[rows]), np.random.default_rng([settings.seed, 1]))]
    known = task.known[rows]
    weak = settings.weak if (known < 0).any() else "masked"  # residual classes that no row has would not be trained
    return fit_hierarchy(
        settings.hierarchy, features.vectors[rows], known, task.tree, **settings.training(EPOCHS),
        generator=torch.Generator().manual_seed(settings.seed), device=pick_device(settings.device), weak=weak,
    )  # fmt: skip
