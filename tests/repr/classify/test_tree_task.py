"""What a hierarchical net is told: few fine labels, the test rows of each level, and shares for rows that show nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from repr.catalog.table import Catalog
from repr.classify.data import Data
from repr.classify.settings import Settings
from repr.classify.tree_task import task_of

SETTINGS = Settings(model="ngram", hierarchy="flat", level=1)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1, 0.001])
def test_below_the_coarsest_level_a_share_of_the_labels_is_known(deep: Catalog, share: float) -> None:
    task = task_of(Data(deep), replace(SETTINGS, fine_share=share))
    own = task.levels.labels
    for rows in (task.whole.train, task.whole.validation):
        np.testing.assert_array_equal(task.known[rows, 0], own[rows, 0])
        told = (task.known[rows, 1:] >= 0).any(axis=1)
        assert told.sum() == max(1, round(share * len(rows)))
        np.testing.assert_array_equal(task.known[rows[told]], own[rows[told]])
    np.testing.assert_array_equal(task.known[task.whole.test], own[task.whole.test])


def test_which_labels_are_known_follows_the_seed_alone(deep: Catalog) -> None:
    settings = replace(SETTINGS, fine_share=0.3)
    first, same = (task_of(Data(deep), settings).known for _ in range(2))
    np.testing.assert_array_equal(first, same)
    assert (task_of(Data(deep), replace(settings, seed=1)).known != first).any()


def test_each_level_is_trained_on_what_is_known_and_tested_on_what_has_a_label_of_its_own(deep: Catalog) -> None:
    task = task_of(Data(deep), replace(SETTINGS, fine_share=0.5))
    for place, level in enumerate(task.levels.levels):
        problem = task.problem(place)
        assert problem.level == level and (task.known[problem.train, place] >= 0).all()
        assert set(problem.train) <= set(task.whole.train) and not set(problem.test) & set(task.whole.train)
        assert (task.levels.own[problem.test, place] >= 0).all()
    assert [len(task.problem(place).test) for place in range(3)] == [40] * 3, (
        "caps, which have no third level, are a class of their own there"
    )


def test_rows_that_show_nothing_get_the_shares_that_training_was_told(deep: Catalog) -> None:
    task = task_of(Data(deep), SETTINGS)
    for place, names in enumerate(task.levels.names):
        shares = np.exp(task.nothing(place).astype(np.float64))
        labels = task.known[task.whole.train, place]
        counts = np.bincount(labels[labels >= 0], minlength=len(names))
        np.testing.assert_allclose(shares, (counts + 1) / (counts.sum() + len(names)), atol=1e-6, err_msg="by Laplace's rule")


def test_the_tree_is_that_of_the_rows(deep: Catalog) -> None:
    task = task_of(Data(deep), SETTINGS)
    paths = {tuple(row) for row in task.levels.labels.tolist() if min(row) >= 0}
    assert {tuple(path) for path in task.tree.paths().tolist()} == paths
