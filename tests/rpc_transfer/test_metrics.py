"""Metrics against scikit-learn and counts by hand. Two base classes (0, 1) and two novel ones (2, 3)."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from rpc_transfer import metrics

LABELS = np.array([0, 0, 0, 0, 1, 1, 2, 2, 3, 3])
PREDICTIONS = np.array([0, 0, 1, 2, 1, 3, 2, 0, 3, 3])


def test_accuracies_by_hand() -> None:
    got = metrics.accuracies(LABELS, PREDICTIONS, base=2)
    assert got["acc_all"] == 6 / 10
    assert got["acc_base"] == 3 / 6
    assert got["acc_novel"] == 3 / 4
    assert got["harmonic_mean"] == pytest.approx(0.6)


def test_macro_is_balanced_accuracy() -> None:
    assert metrics.macro_accuracy(LABELS, PREDICTIONS) == pytest.approx(reference.balanced_accuracy_score(LABELS, PREDICTIONS))
    got = metrics.macro_accuracies(LABELS, PREDICTIONS, base=2)
    assert got == {"macro_all": pytest.approx(0.625), "macro_base": 0.5, "macro_novel": 0.75}


def test_confusion_rates_by_hand() -> None:
    assert metrics.confusion_rates(LABELS, PREDICTIONS, base=2) == {"base_to_novel": 2 / 6, "novel_to_base": 1 / 4}


def test_per_supercategory() -> None:
    assert metrics.per_group(LABELS, PREDICTIONS, ["milk", "tea", "milk", "tea"]) == {"milk": 3 / 6, "tea": 3 / 4}


def test_rates_over_nothing_are_nan() -> None:
    got = metrics.accuracies(np.array([0]), np.array([0]), base=1)
    assert np.isnan(got["acc_novel"]) and np.isnan(got["harmonic_mean"]) and got["acc_base"] == 1
    assert metrics.harmonic_mean(0, 0) == 0
    empty = np.array([])
    assert np.isnan(metrics.auroc(np.array([1.0]), empty)) and np.isnan(metrics.fpr_at_tpr(empty, empty))
    assert np.isnan(metrics.area_under_risk_coverage(empty, empty.astype(bool)))


def test_forgetting_is_before_minus_after() -> None:
    assert metrics.forgetting(0.75, 0.5) == 0.25


def test_risk_coverage_by_hand() -> None:
    coverage, risk = metrics.risk_coverage(np.array([0.9, 0.9, 0.5, 0.1]), np.array([True, False, True, False]))
    assert coverage.tolist() == [0.5, 0.75, 1.0]
    assert risk.tolist() == [0.5, pytest.approx(1 / 3), 0.5]
    assert metrics.area_under_risk_coverage(np.array([0.3, 0.2, 0.1]), np.array([True, True, True])) == 0


@pytest.mark.parametrize("digits", [1, 6])  # 1 digit makes many ties
def test_auroc_is_scikit_learns(digits: int) -> None:
    rng = np.random.default_rng(2)
    known, unknown = rng.normal(1, 1, 200).round(digits), rng.normal(0, 1, 90).round(digits)
    truth = np.r_[np.ones(200), np.zeros(90)]
    assert metrics.auroc(known, unknown) == pytest.approx(reference.roc_auc_score(truth, np.r_[known, unknown]))


@pytest.mark.parametrize("digits", [1, 6])
def test_fpr95_is_read_off_scikit_learns_roc(digits: int) -> None:
    rng = np.random.default_rng(3)
    known, unknown = rng.normal(1, 1, 200).round(digits), rng.normal(0, 1, 90).round(digits)
    fpr, tpr, _ = reference.roc_curve(np.r_[np.ones(200), np.zeros(90)], np.r_[known, unknown], drop_intermediate=False)
    assert metrics.fpr_at_tpr(known, unknown) == pytest.approx(fpr[np.argmax(tpr >= 0.95 - 1e-9)])


def test_threshold_keeps_the_share_asked_for() -> None:
    scores = np.arange(1, 21)
    assert metrics.threshold_keeping(scores, 0.95) == 2
    assert metrics.threshold_keeping(scores, 1.0) == 1
    assert metrics.threshold_keeping(np.ones(4), 0.5) == 1
