"""Intervals and paired tests against SciPy and a table value."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from repr.evaluation.statistics import Metric, half_width, interval, paired


def test_half_width_by_hand() -> None:
    # 1, 2, 3, 4, 5: s = sqrt(2.5), t(0.975, 4) = 2.7764 from any table, so 2.7764 * sqrt(2.5 / 5) = 1.9632
    assert half_width([1, 2, 3, 4, 5]) == pytest.approx(1.9632, abs=1e-4)


def test_half_width_is_scipys_interval() -> None:
    values = np.random.default_rng(0).normal(0.6, 0.02, 7).tolist()
    low, high = stats.t.interval(0.95, 6, loc=np.mean(values), scale=stats.sem(values))
    assert half_width(values) == pytest.approx((high - low) / 2)


def test_interval_of_one_seed_has_no_width() -> None:
    assert interval([0.5]) == Metric(0.5, None, (0.5,))


def test_interval_leaves_unknown_seeds_out_of_the_mean() -> None:
    metric = interval([0.2, None, float("nan"), 0.4])
    assert metric is not None and metric.values == (0.2, None, None, 0.4)
    assert metric.mean == pytest.approx(0.3) and metric.ci95 == pytest.approx(1.2706, abs=1e-4)
    assert interval([None, float("nan")]) is None


def test_splits_of_the_same_rows_widen_the_interval() -> None:
    """Nadeau and Bengio's corrected resampled t-test, by its formula: five splits of 8:2 widen by √(1 + 5/4) = 1.5."""
    a, b = [0.5, 0.6, 0.7, 0.55, 0.65], [0.4, 0.55, 0.66, 0.5, 0.6]
    assert half_width(a, redrawn=0.25) == pytest.approx(1.5 * (half_width(a) or 0))
    differences = np.subtract(a, b)
    t = differences.mean() / np.sqrt((1 / 5 + 0.25) * differences.var(ddof=1))
    assert paired(a, b, redrawn=0.25).p == pytest.approx(2 * stats.t.sf(t, 4))


def test_paired_is_scipys_test() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.6, 0.05, 6), rng.normal(0.5, 0.05, 6)
    result, expected = paired(a.tolist(), b.tolist()), stats.ttest_rel(a, b)
    low, high = expected.confidence_interval(0.95)
    assert result.p == pytest.approx(expected.pvalue)
    assert result.difference == pytest.approx((a - b).mean())
    assert result.ci95 == pytest.approx((high - low) / 2)
    assert result.n == 6


def test_paired_with_equal_differences_and_with_one_pair() -> None:
    assert paired([0.5, 0.6], [0.5, 0.6]).p == 1
    assert paired([0.75, 0.5, 1.0], [0.5, 0.25, 0.75]).p == 0
    assert paired([0.75, 0.5], [0.5, 0.25]).p is None
    assert paired([0.5], [0.25]).p is None
