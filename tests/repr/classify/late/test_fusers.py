"""What late fusion learns, against plain versions and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from repr.classify.late.boosting import LEAVES, PENALTY, RATE, ROUNDS, Boosting
from repr.classify.late.layers import Layers, Networks, beside, each_without_its_fold
from repr.classify.late.mean import WeightedMean, mixture
from repr.classify.late.product import WeightedProduct
from repr.classify.late.stacking import STEPS, C, Stacking, logarithms
from repr.classify.late.vote import voted
from repr.classify.settings import Settings
from repr.classify.state import Restored

N, CLASSES = 240, 4


def drawn(seed: int = 0, classes: int = CLASSES) -> tuple[np.ndarray, np.ndarray]:
    """Two models, the second the better one, and the truth."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, N)
    found = []
    for skill in (1.0, 2.5):
        scores = np.exp(rng.normal(size=(N, classes)) + skill * np.eye(classes)[labels])
        found.append((scores / scores.sum(axis=1, keepdims=True)).astype(np.float32))
    return np.stack(found), labels.astype(np.int64)


@given(st.integers(1, 5), st.integers(0, 50))
def test_the_vote_is_that_of_a_loop(models: int, seed: int) -> None:
    scores = np.random.default_rng(seed).dirichlet(np.ones(3), (models, 6)).astype(np.float32)
    found = voted(scores)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    for row in range(6):
        votes = [int(scores[m, row].argmax()) for m in range(models)]
        mean = scores[:, row].mean(axis=0)
        assert found[row].argmax() == max(range(3), key=lambda c: (votes.count(c), mean[c]))


def test_a_tie_goes_to_the_higher_mean_probability() -> None:
    assert voted(np.array([[[0.6, 0.4]], [[0.1, 0.9]]], np.float32)).argmax() == 1


def test_the_weights_of_the_mean_are_the_likeliest() -> None:
    scores, labels = drawn()
    own = scores[:, np.arange(N), labels].astype(np.float64)
    best = minimize_scalar(lambda w: -np.log(w * own[0] + (1 - w) * own[1]).sum(), bounds=(0, 1), method="bounded")
    assert mixture(own)[0] == pytest.approx(best.x, abs=0.01)
    fitted = WeightedMean(Settings(model="mean")).fit(scores, labels, torch.Generator())
    wanted = np.array([[sum(fitted.weights_[m] * scores[m, n, c] for m in range(2)) for c in range(CLASSES)] for n in range(5)])
    np.testing.assert_allclose(fitted.fuse(scores[:, :5]), wanted, rtol=1e-5)


def test_the_exponents_of_the_product_are_the_likeliest() -> None:
    scores, labels = drawn()
    fitted = WeightedProduct(Settings(model="product")).fit(scores, labels, torch.Generator())

    def loss(weights: np.ndarray) -> float:
        total = 0.0
        for n in range(N):
            likely = scores[0, n].astype(np.float64) ** weights[0] * scores[1, n].astype(np.float64) ** weights[1]
            total -= np.log(likely[labels[n]] / likely.sum())
        return total / N

    best = minimize(loss, [1, 1], method="Nelder-Mead").x
    np.testing.assert_allclose(fitted.weights_, best, atol=0.02)
    likely = scores[0, 3] ** fitted.weights_[0] * scores[1, 3] ** fitted.weights_[1]
    np.testing.assert_allclose(fitted.fuse(scores)[3], likely / likely.sum(), rtol=1e-4)
    right = [(p.argmax(axis=1) == labels).mean() for p in (scores[1], fitted.fuse(scores))]
    assert right[1] > right[0]


def test_a_model_that_says_nothing_right_has_no_exponent_and_noughts_are_no_trouble() -> None:
    scores, labels = drawn(5)
    wrong = np.roll(np.eye(CLASSES, dtype=np.float32)[labels], 1, axis=1)
    fitted = WeightedProduct(Settings(model="product")).fit(np.stack([wrong, scores[1]]), labels, torch.Generator())
    assert fitted.weights_[0] == 0 and fitted.weights_[1] > 0.5
    assert np.isfinite(fitted.fuse(np.stack([wrong, wrong]))).all()


def test_rows_whose_class_no_model_was_taught_do_not_count() -> None:
    scores, labels = drawn(6)
    fitted = WeightedProduct(Settings(model="product")).fit(scores, labels, torch.Generator())
    none = np.tile(np.array([1, 0, 0, 0], np.float32), (2, 50, 1))
    more = np.concatenate([scores, none], axis=1), np.concatenate([labels, np.full(50, 3)])
    again = WeightedProduct(Settings(model="product")).fit(*more, torch.Generator())
    assert np.array_equal(again.weights_, fitted.weights_)


@pytest.mark.parametrize("model", ["layer", "layers"])
def test_layers_are_those_of_the_paper(model: str) -> None:
    scores, labels = drawn()
    fitted = Layers(Settings(model=model)).fit(scores, labels, torch.Generator().manual_seed(0))
    weights = [array for name, array in sorted(fitted.state().arrays.items(), key=lambda pair: (pair[0].split(".")[1], "bias" in pair[0]))]
    assert weights[0].shape == (8, 2 * CLASSES, 6 if model == "layers" else CLASSES)
    x = np.stack([np.concatenate([scores[0, n], scores[1, n]]) for n in range(N)])
    answers = []
    for number in range(8):
        hidden = np.einsum("nd,dh->nh", x, weights[0][number]) + weights[1][number]
        if model == "layers":
            hidden = np.einsum("nh,hc->nc", np.maximum(hidden, 0), weights[2][number]) + weights[3][number]
        answers.append(np.exp(hidden) / np.exp(hidden).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(fitted.fuse(scores), voted(np.stack(answers).astype(np.float32)), atol=1e-5)
    assert (fitted.fuse(scores).argmax(axis=1) == labels).mean() >= (scores[1].argmax(axis=1) == labels).mean() - 0.02


def test_the_networks_learn_as_if_each_were_alone_with_the_rows_outside_its_fold() -> None:
    """The gradient of each, against cross-entropy over its rows one by one; nothing of its own fold reaches it."""
    scores, labels = drawn()
    inputs, truth, fold = beside(scores), torch.from_numpy(labels), torch.arange(N) % 8
    torch.manual_seed(0)
    networks = Networks(2 * CLASSES, 6, CLASSES)
    each_without_its_fold(inputs, networks(inputs), torch.stack([truth, fold], dim=1)).backward()
    for number in range(8):
        parts = [parameter.detach()[number].clone().requires_grad_() for parameter in networks.parameters()]
        total = torch.zeros(())
        rows = [n for n in range(N) if n % 8 != number]
        for n in rows:
            hidden = torch.relu(inputs[n] @ parts[0] + parts[1][0])
            total = total - torch.log_softmax(hidden @ parts[2] + parts[3][0], dim=0)[truth[n]]
        (total / len(rows)).backward()
        for parameter, part in zip(networks.parameters(), parts, strict=True):
            torch.testing.assert_close(parameter.grad[number], part.grad, atol=1e-5, rtol=1e-4)


def test_so_few_rows_that_none_is_left_out() -> None:
    scores, labels = drawn()
    fitted = Layers(Settings(model="layer")).fit(scores[:, :3], labels[:3], torch.Generator().manual_seed(0))
    np.testing.assert_allclose(fitted.fuse(scores).sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("classes", [2, CLASSES])
def test_stacking_is_scikit_learns(classes: int) -> None:
    scores, labels = drawn(1, classes)
    fitted = Stacking(Settings(model="stacking")).fit(scores, labels, torch.Generator())
    wanted = LogisticRegression(C=C, max_iter=STEPS).fit(logarithms(scores), labels).predict_proba(logarithms(scores))
    np.testing.assert_allclose(fitted.fuse(scores), wanted, atol=1e-5)


@pytest.mark.parametrize("classes", [2, CLASSES])
def test_boosting_is_scikit_learns(classes: int) -> None:
    scores, labels = drawn(2, classes)
    fitted = Boosting(Settings(model="boosting")).fit(scores, labels, torch.Generator())
    grower = HistGradientBoostingClassifier(
        learning_rate=RATE, max_iter=ROUNDS, max_leaf_nodes=LEAVES, l2_regularization=PENALTY, early_stopping=False, random_state=0
    )
    wanted = grower.fit(beside(scores).numpy(), labels).predict_proba(beside(scores).numpy())
    np.testing.assert_allclose(fitted.fuse(scores), wanted, atol=1e-5)


@pytest.mark.parametrize("kind, model", [(Stacking, "stacking"), (Boosting, "boosting")])
def test_a_class_that_no_row_has_is_never_answered(kind: type[Stacking | Boosting], model: str) -> None:
    scores, labels = drawn(3)
    labels[labels == 2] = 1
    found = kind(Settings(model=model)).fit(scores, labels, torch.Generator()).fuse(scores)
    assert found[:, 2].max() < 1e-6
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(
    "kind, model",
    [
        (WeightedMean, "mean"),
        (WeightedProduct, "product"),
        (Layers, "layers"),
        (Layers, "layer"),
        (Stacking, "stacking"),
        (Boosting, "boosting"),
    ],
)
def test_kept_and_restored_it_answers_the_same(kind: type[Layers], model: str) -> None:
    scores, labels = drawn(4)
    settings = Settings(model=model)
    fitted = kind(settings).fit(scores, labels, torch.Generator().manual_seed(1))
    again = kind(settings).restore(Restored(fitted.state(), "here"))
    assert np.array_equal(again.fuse(scores), fitted.fuse(scores))
