"""What a hierarchical net is told of the data, level by level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from repr.arrays import Floats, Ints
from repr.classify.data import Data, Problem
from repr.classify.fitted import Fitted, Model, temperature_of
from repr.classify.hierarchy.tree import Tree
from repr.classify.levels import Levels, finest, level_labels
from repr.classify.prior import prior
from repr.classify.settings import Settings


@dataclass(frozen=True)
class Task:
    """levels: that the net answers on. whole: training, validation and test rows, of the coarsest level.

    known: (catalog rows, levels) the labels that training and temperature may see, -1 for none.
    """

    levels: Levels
    whole: Problem
    known: Ints

    @property
    def tree(self) -> Tree:
        """Of all rows that are labelled on every level."""
        labels = self.levels.labels
        return Tree.of(labels[(labels >= 0).all(axis=1)])

    def problem(self, place: int) -> Problem:
        """A level's task: trained and validated on the rows whose label on it is known, tested on those that have one of their own."""
        levels, whole, column = self.levels, self.whole, self.known[:, place]
        train, validated = (part[column[part] >= 0] for part in (whole.train, whole.validation))
        tested = whole.test[levels.own[whole.test, place] >= 0]
        return Problem(levels.levels[place], levels.labels[:, place], levels.names[place], train, validated, tested, whole.held_out)

    def nothing(self, place: int) -> Floats:
        """What rows with nothing to see get on a level: the logarithms of the shares of the classes that training was told."""
        labels = self.known[self.whole.train, place]
        return prior(labels[labels >= 0], len(self.levels.names[place]))


def task_of(data: Data, settings: Settings) -> Task:
    """What a row's net is told: below the coarsest level the labels of a share `fine_share` of the training and validation rows."""
    levels = level_labels(data)
    whole = data.problem(levels.levels[0], seed=settings.seed, finest=finest(levels.labels))
    known = levels.labels.copy()
    rng = np.random.default_rng([settings.seed, 2])
    for rows in (whole.train, whole.validation):
        known[rng.permutation(rows)[max(1, round(settings.fine_share * len(rows))) :], 1:] = -1
    return Task(levels, whole, known)


def calibrated(data: Data, task: Task, models: Sequence[Model]) -> list[Fitted]:
    """A model for each level of a task, in their order, with temperatures from its validation rows."""
    fitted = []
    for place, model in enumerate(models):
        problem = task.problem(place)
        classes = np.arange(len(problem.names))
        counts = np.maximum(problem.counts, 1)  # none is never answered: the logit adjustment divides by them
        fitted.append(Fitted(model, counts, classes, temperature_of(model, data, problem, classes), task.nothing(place)))
    return fitted
