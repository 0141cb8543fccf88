"""A trained model's probabilities: they sum to one, blocks make no difference, and classes never taught get none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import log_loss

from repr.arrays import Floats, Ints
from repr.catalog.table import Catalog
from repr.classify import fitted as module
from repr.classify.data import Data, Problem
from repr.classify.fitted import Fitted, Model, fit, temperature_of
from repr.classify.settings import Settings


@dataclass
class Said:
    """A model that says what it is told to: (catalog rows, t) logits, NaN where it sees nothing."""

    table: Floats
    note: str = ""
    blocks: int = 0

    def logits(self, data: Data, rows: Ints) -> Floats:
        self.blocks += 1
        return self.table[rows].copy()


def said(rows: int = 50, classes: int = 3, seed: int = 0) -> Said:
    return Said(np.random.default_rng(seed).normal(0, 3, (rows, classes)).astype(np.float32))


def made(model: Said, counts: list[int], trained: list[int], temperature: float = 1.0) -> Fitted:
    shares = np.array([counts[k] for k in trained], np.float64)
    nothing = np.log(shares / shares.sum()).astype(np.float32)
    return Fitted(cast(Model, model), np.array(counts), np.array(trained), temperature, nothing)


NO_DATA = cast(Data, None)


def test_probabilities_are_the_softmax_at_the_temperature() -> None:
    model = said()
    probabilities = made(model, [5, 5, 5], [0, 1, 2], temperature=2.0).probabilities(NO_DATA, np.arange(50))
    np.testing.assert_allclose(probabilities, softmax(model.table.astype(np.float64) / 2, axis=1), atol=1e-6)


def test_classes_never_taught_get_nothing_and_keep_their_columns() -> None:
    model = said(classes=2)
    probabilities = made(model, [4, 0, 9, 0], [0, 2]).probabilities(NO_DATA, np.arange(50))
    assert probabilities.shape == (50, 4) and not probabilities[:, [1, 3]].any()
    np.testing.assert_allclose(probabilities[:, [0, 2]], softmax(model.table, axis=1), atol=1e-6)


@pytest.mark.parametrize("temperature", [0.1, 1.0, 30.0])
def test_a_row_that_shows_nothing_gets_the_shares_whatever_the_temperature(temperature: float) -> None:
    model = said()
    model.table[7] = np.nan
    probabilities = made(model, [1, 2, 7], [0, 1, 2], temperature).probabilities(NO_DATA, np.arange(50))
    np.testing.assert_allclose(probabilities[7], [0.1, 0.2, 0.7], atol=1e-6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_the_adjustment_takes_the_classes_sizes_away() -> None:
    """Menon et al.: logits minus tau times the logarithm of the class's share; with tau 1 a row that shows nothing is even."""
    model = said()
    model.table[3] = np.nan
    counts = [90, 9, 1]
    probabilities = made(model, counts, [0, 1, 2]).probabilities(NO_DATA, np.arange(50), tau=1.0)
    expected = softmax(model.table.astype(np.float64) - np.log(np.array(counts) / 100), axis=1)
    np.testing.assert_allclose(np.delete(probabilities, 3, axis=0), np.delete(expected, 3, axis=0), atol=1e-5)
    np.testing.assert_allclose(probabilities[3], 1 / 3, atol=1e-6)


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, rows = made(said(), [5, 5, 5], [0, 1, 2]), np.random.default_rng(1).integers(0, 50, 23)
    expected = whole.probabilities(NO_DATA, rows)
    monkeypatch.setattr(module, "BLOCK", 5)
    model = said()
    np.testing.assert_array_equal(made(model, [5, 5, 5], [0, 1, 2]).probabilities(NO_DATA, rows), expected)
    assert model.blocks == 5
    assert whole.probabilities(NO_DATA, np.zeros(0, np.int64)).shape == (0, 3)


def problem(labels: Ints, validation: Ints) -> Problem:
    return Problem(1, labels, ("a", "b", "c"), np.arange(10), validation, np.arange(0))


def test_the_temperature_is_the_likeliest_on_the_validation_rows() -> None:
    model, labels = said(rows=400), np.random.default_rng(5).integers(0, 3, 400)
    model.table[np.arange(400), labels] += 2
    rows = np.arange(100, 400)
    best = temperature_of(cast(Model, model), NO_DATA, problem(labels, rows), np.arange(3))
    losses = {t: log_loss(labels[rows], softmax(model.table[rows].astype(np.float64) / t, axis=1)) for t in (best, 0.9 * best, 1.1 * best)}
    assert min(losses, key=losses.__getitem__) == best


def test_rows_of_classes_never_taught_and_rows_that_show_nothing_tell_no_temperature() -> None:
    model, labels = said(rows=300, classes=2), np.random.default_rng(5).choice([0, 2], 300)
    expected = temperature_of(cast(Model, model), NO_DATA, problem(labels, np.arange(300)), np.array([0, 2]))
    more = Said(np.concatenate([model.table, np.full((50, 2), np.nan, np.float32), 9 * model.table[:50]]))
    mixed = np.concatenate([labels, labels[:50], np.ones(50, np.int64)])  # class 1 was never taught
    assert temperature_of(cast(Model, more), NO_DATA, problem(mixed, np.arange(400)), np.array([0, 2])) == expected
    assert temperature_of(cast(Model, model), NO_DATA, problem(labels, np.arange(0)), np.array([0, 2])) == 1.0


def test_a_class_without_training_rows_is_never_answered(shop: Catalog) -> None:
    """As where a fold lacks it: its column is there, and empty."""
    data, settings = Data(shop), Settings(model="ngram")
    task = data.problem(2, seed=0)
    without = replace(task, train=task.train[task.labels[task.train] != 1])
    probabilities = fit(data, settings, without).probabilities(data, task.test)
    assert probabilities.shape == (40, 4) and not probabilities[:, 1].any()
    others = task.labels[task.test] != 1
    assert (probabilities.argmax(axis=1)[others] == task.labels[task.test][others]).mean() > 0.9
