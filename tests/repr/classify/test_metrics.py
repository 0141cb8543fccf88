from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, top_k_accuracy_score

from repr.classify.metrics import check_sums, measure
from repr.errors import UserError


def scores_of(n: int, classes: int, seed: int, ties: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.ones(classes), n).astype(np.float32)
    if ties:
        scores = np.round(scores, 1).astype(np.float32)
    return scores, rng.integers(0, classes, n)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 60), classes=st.integers(2, 9), seed=st.integers(0, 999), ties=st.booleans(), block=st.integers(1, 70))
def test_agrees_with_scikit_learn(n: int, classes: int, seed: int, ties: bool, block: int) -> None:
    scores, truth = scores_of(n, classes, seed, ties)
    found = measure(truth, lambda: (scores[i : i + block] for i in range(0, n, block)), classes)
    one_hot = np.eye(classes, dtype=int)[truth]
    present = np.unique(truth)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert found.ap_micro == pytest.approx(average_precision_score(one_hot.ravel(), scores.ravel()), abs=1e-6)
        macro = average_precision_score(one_hot[:, present], scores[:, present], average="macro")
        assert found.ap_macro == pytest.approx(macro, abs=1e-6)
        predicted = scores.argmax(axis=1)
        assert found.f1_macro == pytest.approx(f1_score(truth, predicted, average="macro"))
        assert found.f1_weighted == pytest.approx(f1_score(truth, predicted, average="weighted"))
    assert found.top1 == pytest.approx((predicted == truth).mean())
    if not ties and classes > 5:
        assert found.top5 == pytest.approx(top_k_accuracy_score(truth, scores, k=5, labels=np.arange(classes)))


def test_by_hand() -> None:
    """Three rows; the class of the last was never trained and has probability 0 everywhere."""
    scores = np.array([[0.9, 0.1, 0], [0.6, 0.4, 0], [0.2, 0.8, 0]], np.float32)
    found = measure(np.array([0, 1, 2]), lambda: iter([scores]), 3)
    assert found.predicted.tolist() == [0, 0, 1] and found.support.tolist() == [1, 1, 1]
    assert found.top1 == pytest.approx(1 / 3) and found.top5 == 1
    assert found.ap.tolist() == pytest.approx([1, 1 / 2, 1 / 3])
    assert found.f1.tolist() == pytest.approx([2 / 3, 0, 0])
    # confidences .9 right, .6 and .8 wrong, each alone in its bin
    assert found.ece == pytest.approx((0.1 + 0.6 + 0.8) / 3)


@pytest.mark.parametrize("wrong", [[0.5, 0.6], [-0.1, 1.1], [np.nan, np.nan]])
def test_probabilities_that_do_not_sum_to_one_are_refused(wrong: list[float]) -> None:
    check_sums(np.array([[0.5, 0.5], [1, 0]], np.float32))
    with pytest.raises(UserError, match="here: the probabilities of 1 rows do not sum to one, such as row 1"):
        check_sums(np.array([[0.5, 0.5], wrong], np.float32), "here")
