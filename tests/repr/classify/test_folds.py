"""No row is seen by the model that is asked for it, whatever the classes and titles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repr.catalog.table import Catalog
from repr.classify.data import Data, Problem
from repr.classify.fitted import Fitted, fit
from repr.classify.folds import divide, out_of_fold
from repr.classify.settings import Settings
from repr.errors import UserError


class Recorder:
    """A model that answers with the rows it has seen."""

    note = ""

    def __init__(self, seen: set[int]) -> None:
        self.seen = seen

    def fit(self, *_: object) -> Recorder:
        return self

    def logits(self, _: Data, rows: np.ndarray) -> np.ndarray:
        assert self.seen.isdisjoint(rows.tolist()), "asked for a row that it has seen"
        return np.zeros((len(rows), 2), np.float32)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 6)), min_size=12, max_size=60), st.integers(2, 4), st.integers(0, 5))
def test_no_row_is_seen_twice_and_titles_stay_together(rows: list[tuple[int, int]], folds: int, seed: int) -> None:
    labels, titles = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    train = np.arange(len(rows))[::2]
    empty = np.zeros(0, np.int64)
    problem = Problem(1, labels, tuple("abcd"), train, np.arange(len(rows))[1::2], empty)
    groups = np.where(titles[train] >= 0, titles[train], 100 + np.arange(len(train)))
    if len(np.unique(groups)) < folds:
        with pytest.raises(UserError, match="cannot be divided"):
            divide(problem, titles, folds, seed)
        return
    fold = divide(problem, titles, folds, seed)
    assert all(len(set(fold[groups == group])) == 1 for group in np.unique(groups))
    assert set(fold) == set(range(folds))
    asked: list[int] = []

    def recorded(_: Data, __: Settings, part: Problem) -> Fitted:
        trained = np.unique(labels[part.train])
        model = Recorder({*part.train.tolist(), *part.validation.tolist()})
        seen = Fitted(model, np.ones(4, np.int64), trained, 1.0, np.zeros(len(trained), np.float32))  # type: ignore[arg-type]

        class Asked:
            """As the fitted model, with what it was asked for."""

            trained = seen.trained

            def probabilities(self, data: Data, rows: np.ndarray) -> np.ndarray:
                model.logits(data, rows)
                asked.extend(rows.tolist())
                return np.full((len(rows), 4), 0.25, np.float32)

        return Asked()  # type: ignore[return-value]

    found = out_of_fold(None, None, problem, fold, recorded)  # type: ignore[arg-type]
    assert sorted(asked) == train.tolist()
    for n, row in enumerate(train):
        others = labels[train[fold != fold[n]]]
        assert found.taught[n] == (labels[row] in others)


def test_a_rows_answer_is_that_of_a_model_trained_on_the_other_folds(shop: Catalog) -> None:
    data, row = Data(shop), Settings(model="ngram", level=2)
    problem = data.problem(2, seed=0)
    fold = divide(problem, data.titles, 3, 0)
    found = out_of_fold(data, row, problem, fold)
    alone = fit(data, row, replace(problem, train=problem.train[fold != 1]))
    assert np.array_equal(found.probabilities[fold == 1], alone.probabilities(data, problem.train[fold == 1]))
    assert np.allclose(found.probabilities.sum(axis=1), 1, atol=1e-5)


def test_a_class_in_one_fold_is_told_and_the_work_goes_on(shop: Catalog, capsys: pytest.CaptureFixture[str]) -> None:
    data, row = Data(shop), Settings(model="ngram", level=2)
    problem = data.problem(2, seed=0)
    labels = problem.labels.copy()
    labels[problem.train[0]] = 4
    alone = replace(problem, labels=labels, names=(*problem.names, "Alone"))
    fold = divide(alone, data.titles, 3, 0)
    assert f"1 for fold {fold[0]}" in capsys.readouterr().err
    found = out_of_fold(data, row, alone, fold)
    assert not found.taught[0] and found.taught[1:].all() and found.probabilities[0, 4] == 0
