"""Evaluations and classifications as documents: read back, and put side by side by `repr compare`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from repr.evaluation.measure import Constants, Row, measure
from repr.experiments import document
from repr.experiments.evaluations import COMMAND, evaluated
from repr.experiments.recording import finish, recording
from repr.reports.compare import compare, tables


def measured(name: str, spread: float, queries: int = 40) -> Row:
    """Vectors of five classes, the harder the wider they are spread; the labels are always the same."""
    rng = np.random.default_rng(0)
    labels = np.arange(100 + queries) % 5
    vectors = (np.eye(5, 8)[labels] + spread * rng.normal(size=(len(labels), 8))).astype(np.float32)
    return measure(name, vectors[:100], labels[:100], vectors[100:], labels[100:], Constants(k=5, epochs=1))


def test_a_row_a_file_of_vectors() -> None:
    rows = [measured("near", 0.1), measured("far", 1.0)]
    result = evaluated(None, rows, Constants(k=5, epochs=1, seed=3))
    assert (result.command, result.data, result.synthetic, result.seeds) == (COMMAND, "near, far", False, (3,))
    assert result.about["knn_k"] == 5 and result.about["linear_seed"] == 3 and result.about["quarantined"] == 0
    for row, of in zip(rows, result.rows, strict=True):
        assert of.config == {"weights": row.name, "level": None, "dim": 8, "stored": 100, "queries": 40, "k": 5}
        assert (of.metrics["knn_top1"].mean, of.metrics["knn_top1"].ci95, of.metrics["knn_top1"].values) == (
            row.knn_top1,
            None,
            (row.knn_top1,),
        )
        assert set(result.shown) <= set(of.metrics)
    assert result.rows[0].trials == result.rows[1].trials  # the same labels, searched for in the same
    assert document.Document.from_json(result.as_json()) == result


def test_vectors_of_other_labels_are_of_another_split() -> None:
    few, many = (evaluated(None, [measured("a", 0.1, queries)], Constants()).rows[0] for queries in (20, 40))
    assert few.trials[0].split != many.trials[0].split


def test_compare_reads_them(tmp_path: Path) -> None:
    for name, spread in (("first", 0.5), ("second", 0.1)):
        document = evaluated(None, [measured("mine", spread)], Constants(k=5, epochs=1))
        with recording(tmp_path / name, COMMAND, {"k": 5}, data=document.data, synthetic=False) as record:
            finish(record, document)
    compared = compare([tmp_path / "first", tmp_path / "second"])
    leads = {test.metric: test.difference for test in compared.tests}
    first, second = (row.row.metrics["knn_top1"].mean for row in compared.rows)
    assert leads["knn_top1"] == pytest.approx(second - first) and set(leads) == {"knn_top1", "linear_top1", "recall@1", "map@r"}
    titles = [table.title for table in tables(compared)]
    assert any(COMMAND in title for title in titles)
