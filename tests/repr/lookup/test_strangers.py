from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from repr.lookup.strangers import PENALTY, auroc, fit_gate, fit_logistic
from tests.repr.lookup.galleries import shop


def test_the_fit_is_scikit_learns_where_no_weight_would_be_negative() -> None:
    rng = np.random.default_rng(0)
    ours = rng.random(400) < 0.3
    signals = rng.normal(size=(400, 3)) + ours[:, None] * np.array([1.0, 0.5, 0.2])
    middle, spread = signals.mean(axis=0), signals.std(axis=0)
    # theirs: C · Σ weight · loss + ½‖w‖², ours: Σ share · loss + PENALTY ‖w‖²
    share = np.where(ours, 0.5 / ours.sum(), 0.5 / (~ours).sum())
    reference = LogisticRegression(C=1 / (2 * PENALTY), tol=1e-8, max_iter=1000).fit((signals - middle) / spread, ours, share)
    weights = fit_logistic(signals, ours)
    assert np.allclose(weights[:-1] * spread, reference.coef_[0], atol=1e-3)
    assert np.allclose(signals @ weights[:-1] + weights[-1], reference.decision_function((signals - middle) / spread), atol=5e-3)


def test_a_signal_that_speaks_the_wrong_way_is_not_heard() -> None:
    rng = np.random.default_rng(0)
    ours = np.arange(200) % 2 == 0
    signals = rng.normal(size=(200, 2)) + ours[:, None] * np.array([1.0, -1.0])
    weights = fit_logistic(signals, ours)
    assert weights[0] > 0
    assert weights[1] == 0


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.lists(st.integers(0, 5), min_size=1, max_size=20))
def test_auroc_is_scikit_learns(known: list[int], strangers: list[int]) -> None:
    labels = np.repeat([1, 0], [len(known), len(strangers)])
    assert auroc(np.array(known), np.array(strangers)) == pytest.approx(roc_auc_score(labels, known + strangers))


@pytest.mark.parametrize("learner", ["neighbour", "ncm", "lda"])
def test_the_gate_lets_the_wanted_share_pass_and_tells_its_cost(learner: str) -> None:
    gate = fit_gate(shop(20, 10, spread=0.4), learner, 1.0, accept=0.9)
    assert gate is not None
    assert gate.known_rejected == pytest.approx(0.1, abs=0.01)
    assert gate.auroc > 0.8
    assert 0 <= gate.strangers_accepted < 0.8
    assert min(gate.weights) >= 0


def test_a_higher_share_accepts_more_strangers() -> None:
    gallery = shop(20, 10, spread=0.8)
    gates = [fit_gate(gallery, "ncm", 1.0, accept=accept) for accept in (0.7, 0.95)]
    assert gates[0] is not None
    assert gates[1] is not None
    assert gates[0].threshold < np.inf
    assert gates[0].threshold > gates[1].threshold
    assert gates[0].strangers_accepted <= gates[1].strangers_accepted


@pytest.mark.parametrize(("products", "images"), [(1, 30), (4, 1), (40, 1)])
def test_there_is_no_gate_where_nothing_can_be_left_out(products: int, images: int) -> None:
    assert fit_gate(shop(products, images), "ncm", 1.0, accept=0.95) is None
