"""Heads on frozen features: what they do to features, the three optimisers on one objective, and how they are asked."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import nn

from repr.errors import UserError
from repr.learners.heads import ROWS, Levelled, Standardised, ask, fit_head, ranked, seeded
from repr.learners.softmax_head import train_linear

Array = np.ndarray[Any, Any]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def points(n: int = 300, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, n)
    return (2 * np.eye(4, 10)[y] + rng.normal(size=(n, 10))).astype(np.float32), y


def test_standardised_is_scikit_learns_scaler_and_a_constant_becomes_zero() -> None:
    x = np.hstack([points()[0] * 7 + 3, np.full((300, 1), 5, np.float32)])
    ours = Standardised(x)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(ours[:, :-1], StandardScaler().fit_transform(x[:, :-1].astype(np.float64)), atol=1e-4)
    assert (ours[:, -1] == 0).all()


def test_levelled_features_have_a_root_mean_square_of_one() -> None:
    x, _ = points()
    ours = Levelled(x * 1000)(torch.from_numpy(x * 1000)).numpy()
    assert np.sqrt((ours.astype(np.float64) ** 2).mean()) == pytest.approx(1)
    assert np.array_equal(Levelled(x * 0)(torch.zeros(2, 10)).numpy(), np.zeros((2, 10)))


@pytest.mark.parametrize(("optimiser", "lr"), [("sgd", 0.5), ("adam", 0.1)])
def test_both_optimisers_come_where_l_bfgs_and_scikit_learn_do(optimiser: Literal["sgd", "adam"], lr: float) -> None:
    """Trained long, on clouds that overlap, each reaches the one minimum of the cross-entropy; L-BFGS with next to no penalty too."""
    x, y = points()
    x = x / np.float32(np.sqrt((x.astype(np.float64) ** 2).mean()))
    head = fit_head(x, y, 4, first=Levelled(x), optimiser=optimiser, generator=generator(), epochs=600, lr=lr, batch_size=300)
    trained = train_linear(x, y, np.zeros((4, 11), np.float32), c=1e4, steps=2000)
    reference = LogisticRegression(C=1e4, max_iter=5000).fit(x, y).predict_proba(x)
    for logits in (ask(head, torch.from_numpy(x)), x @ trained[:, :-1].T + trained[:, -1]):
        np.testing.assert_allclose(torch.from_numpy(logits).softmax(dim=1).numpy(), reference, atol=0.02)


def test_hidden_layers_learn_what_a_line_cannot() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)
    settings: dict[str, Any] = {"optimiser": "adam", "epochs": 60, "lr": 0.01, "batch_size": 64, "halve_every": 20}
    right = {}
    for hidden in ((), (32, 32)):
        head = fit_head(x, y, 2, first=Standardised(x), hidden=hidden, generator=generator(), **settings)
        right[hidden] = (ask(head, torch.from_numpy(x)).argmax(axis=1) == y).mean()
    assert right[()] < 0.7 < 0.9 < right[(32, 32)]


def test_the_generator_decides_and_the_global_one_is_left_alone() -> None:
    x, y = points(60)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    heads = [
        fit_head(x, y, 4, first=Levelled(x), hidden=(8,), optimiser="sgd", generator=generator(s), epochs=2, lr=0.1, batch_size=16)
        for s in (3, 3, 4)
    ]
    assert torch.equal(torch.get_rng_state(), before)
    answers = [ask(head, torch.from_numpy(x)) for head in heads]
    assert np.array_equal(answers[0], answers[1]) and not np.allclose(answers[0], answers[2])
    with seeded(generator(3)):
        drawn = torch.rand(3)
    with seeded(generator(3)):
        assert torch.equal(torch.rand(3), drawn)


def test_nothing_to_train_on_and_a_rate_too_high() -> None:
    x, y = points(60)
    settings: dict[str, Any] = {"optimiser": "sgd", "epochs": 3, "batch_size": 16}
    with pytest.raises(UserError, match="nothing to train on"):
        fit_head(x[:0], y[:0], 4, first=nn.Identity(), generator=generator(), lr=0.1, **settings)
    with pytest.raises(UserError, match="not a finite number"):
        fit_head(x, y, 4, first=nn.Identity(), generator=generator(), lr=1e38, **settings)


def test_many_rows_are_asked_in_parts() -> None:
    layer = nn.Linear(3, 6)
    x = torch.randn(2 * ROWS + 5, 3, generator=generator())
    whole = layer(x).detach()
    np.testing.assert_allclose(ask(layer, x), whole.numpy(), atol=1e-6)
    assert (ranked(layer, x, 3) == whole.topk(3, dim=1).indices.numpy()).mean() > 0.999
    assert ranked(layer, x[:2], 6).shape == (2, 6) and sorted(ranked(layer, x[:1], 6)[0].tolist()) == list(range(6))
