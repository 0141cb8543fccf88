"""Rows and comparisons against NumPy, SciPy and figures worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from repr.evaluation.statistics import Metric
from repr.experiments.document import Row, TrialFile
from repr.experiments.summary import compared, paired_rows, summarise
from repr.experiments.trials import NotRun, Trial, Wanted

rates = st.floats(0, 1)


def of_trials(*values: float | None, metric: str = "acc") -> list[tuple[Wanted, Trial | NotRun]]:
    return [(Wanted(0, seed, "toy", f"k{seed}", f"s{seed}"), Trial({metric: value})) for seed, value in enumerate(values)]


@given(st.lists(rates, min_size=2, max_size=8))
def test_means_and_intervals_are_numpys_and_scipys(values: list[float]) -> None:
    metric = summarise({}, of_trials(*values)).metrics["acc"]
    assert metric.values == tuple(values)
    assert metric.mean == pytest.approx(np.mean(values), abs=1e-12)
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    assert metric.ci95 == pytest.approx(half, abs=1e-9)


@given(st.lists(st.none() | rates, min_size=1, max_size=6))
def test_seeds_without_a_value_are_left_out_of_the_mean(values: list[float | None]) -> None:
    row = summarise({}, of_trials(*values))
    known = [value for value in values if value is not None]
    assert row.seeds == tuple(range(len(values)))
    if known:
        assert row.metrics["acc"].values == tuple(values) and row.metrics["acc"].mean == pytest.approx(np.mean(known))
        assert (row.metrics["acc"].ci95 is None) == (len(known) < 2)
    else:
        assert row.metrics == {}, "what applies to no seed is no metric"


def test_one_seed_has_no_interval() -> None:
    assert summarise({"learner": "lda"}, of_trials(0.5)) == Row(
        {"learner": "lda"}, {"acc": Metric(0.5, None, (0.5,))}, (TrialFile(0, "s0", "toy-k0.npz"),)
    )


def test_metrics_that_some_trials_lack_are_null_there() -> None:
    row = summarise({}, [*of_trials(0.5), *of_trials(0.5, 0.25, metric="unknown")[1:]])
    assert row.metrics["acc"].values == (0.5, None) and row.metrics["unknown"].values == (None, 0.25)


def test_seeds_that_could_not_be_run_are_in_the_note_and_rows_in_the_error() -> None:
    ran, (lost, _) = of_trials(0.5), of_trials(0.0)[0]
    row = summarise({}, [*ran, (lost, NotRun("no memory"))])
    assert row.error == "" and row.note == "not run: no memory" and row.seeds == (0,)
    row = summarise({}, [(lost, NotRun("no memory")), (lost, NotRun("no memory"))])
    assert row.error == "no memory" and row.note == "" and row.metrics == {} and row.trials == ()
    assert summarise({}, [], error="no such weights").error == "no such weights"


def test_notes_of_trials_are_told_once() -> None:
    pairs = [(wanted, Trial({"acc": 0.5}, note="few words")) for wanted, _ in of_trials(0.1, 0.2)]
    assert summarise({}, pairs).note == "few words"


def test_the_paired_test_by_hand() -> None:
    """Differences 1, 2, 3, 4, 5 hundredths: mean 0.03, s = 0.0158114, t = 0.03 / (s / √5) = 4.2426, p from a table of t with 4 degrees."""
    a, b = summarise({}, of_trials(0.51, 0.62, 0.33, 0.44, 0.55)), summarise({}, of_trials(0.5, 0.6, 0.3, 0.4, 0.5))
    (test,) = compared([b, a], 1, 0, ["acc", "absent"], against="flat")
    assert (test.a, test.b, test.against, test.metric, test.n) == (1, 0, "flat", "acc", 5)
    assert test.difference == pytest.approx(0.03) and test.ci95 == pytest.approx(0.019632, abs=1e-5)
    assert test.p == pytest.approx(0.013236, abs=1e-5)


@given(st.lists(st.tuples(rates, rates), min_size=3, max_size=6))
def test_a_comparison_turned_round_has_the_other_sign(pairs: list[tuple[float, float]]) -> None:
    rows = [summarise({}, of_trials(*side)) for side in zip(*pairs, strict=True)]
    (one,), (other,) = compared(rows, 0, 1, ["acc"]), compared(rows, 1, 0, ["acc"])
    assert one.difference == pytest.approx(-other.difference, abs=1e-12) and one.p == pytest.approx(other.p, rel=1e-6)


def test_only_seeds_with_one_split_are_paired() -> None:
    a = summarise({}, of_trials(0.1, 0.2, None, 0.4))
    moved = [(Wanted(0, w.seed, w.name, w.key, "else" if w.seed == 1 else w.split), trial) for w, trial in of_trials(0.0, 0.0, 0.0, 0.0)]
    b = summarise({}, list(reversed(moved)))
    test = paired_rows(a, b, "acc")
    assert test is not None and test.n == 2 and test.difference == pytest.approx((0.1 + 0.4) / 2)
    elsewhere = summarise({}, [(Wanted(0, 0, "toy", "k", "another"), Trial({"acc": 0.5}))])
    assert paired_rows(a, elsewhere, "acc") is None and compared([a, elsewhere], 0, 1, ["acc"]) == []


def test_splits_of_the_same_rows_widen_intervals_and_tests() -> None:
    """Nadeau and Bengio's corrected resampled t-test: five splits of 8:2 widen by √(1 + 5/4) = 1.5."""
    plain, wide = (summarise({}, of_trials(0.5, 0.6, 0.7, 0.55, 0.65), redrawn=redrawn) for redrawn in (0.0, 0.25))
    assert wide.metrics["acc"].ci95 == pytest.approx(1.5 * (plain.metrics["acc"].ci95 or 0))
    other = summarise({}, of_trials(0.4, 0.55, 0.66, 0.5, 0.6), redrawn=0.25)
    differences = np.subtract(wide.metrics["acc"].values, other.metrics["acc"].values)
    t = differences.mean() / np.sqrt((1 / 5 + 0.25) * differences.var(ddof=1))
    test = paired_rows(wide, other, "acc")
    assert test is not None and test.p == pytest.approx(2 * stats.t.sf(t, 4))
