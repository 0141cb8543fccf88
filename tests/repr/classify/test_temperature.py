"""The temperature is fitted on validation rows, never on those that are tested."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from repr.catalog.table import Catalog
from repr.classify import fitted, flat_rows, tree_rows
from repr.classify.data import Data
from repr.classify.settings import Settings
from repr.evaluation.calibration import fit_temperature

Array = np.ndarray[Any, Any]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Array]:
    """The labels of every fit."""
    labels: list[Array] = []

    def noted(logits: Array, of: Array) -> float:
        labels.append(of)
        return fit_temperature(logits, of)

    monkeypatch.setattr(fitted, "fit_temperature", noted)
    return labels


def test_of_a_flat_row(shop: Catalog, asked: list[Array]) -> None:
    data, settings = Data(shop), Settings(model="ngram", level=2, device="cpu")
    problem = data.problem(2, seed=0)
    assert set(problem.validation) & {*problem.test, *problem.train} == set() and len(problem.validation) != len(problem.test)
    outcome = flat_rows.run_flat(data, settings)
    (labels,) = asked
    assert labels.tolist() == problem.labels[problem.validation].tolist() and outcome.temperature != 1


def test_of_a_net(shop: Catalog, asked: list[Array]) -> None:
    """On every level."""
    data, settings = Data(shop), Settings(model="ngram", hierarchy="flat", level=2, epochs=1, device="cpu")
    tree_rows.run_tree(data, settings)
    whole = data.problem(1, seed=0)
    assert len(asked) == 2
    for level, labels in enumerate(asked, 1):
        of_level, _ = shop.labels(level)
        assert (
            0 < len(labels) <= len(whole.validation)
            and np.bincount(labels).tolist() == np.bincount(of_level[validation(data, level)]).tolist()
        )


def validation(data: Data, level: int) -> Array:
    """The validation rows, which are the same for all levels of a net: those of the coarsest, drawn evenly over the finest classes."""
    finest = np.column_stack([data.catalog.labels(1)[0], data.catalog.labels(2)[0]])[:, -1]
    return data.problem(1, seed=0, finest=finest).validation
