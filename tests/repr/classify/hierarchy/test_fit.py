"""The nets: shapes, what flows where, learning, and what is refused."""

from __future__ import annotations

import copy
import importlib
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from repr.classify.hierarchy import NETS
from repr.classify.hierarchy.decode import decode
from repr.classify.hierarchy.fit import fit_hierarchy
from repr.classify.hierarchy.tree import Tree
from repr.errors import UserError

TREE = Tree((np.array([0, 0, 1]), np.array([0, 0, 1, 2])))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def make(kind: str, dim: int = 6, widths: tuple[int, ...] = TREE.sizes) -> nn.Module:
    module, name = NETS[kind].split(":")
    torch.manual_seed(0)
    net = getattr(importlib.import_module(module), name)(dim, widths)
    assert isinstance(net, nn.Module)
    return net.eval()


def blobs(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Features around one point a leaf; labels as paths."""
    rng = np.random.default_rng(seed)
    leaves = rng.integers(0, 4, n)
    centres = np.random.default_rng(99).normal(size=(4, 6)) * 3
    return (centres[leaves] + rng.normal(size=(n, 6))).astype(np.float32) * 50 + 7, TREE.paths()[leaves]


@pytest.mark.parametrize("kind", NETS)
@pytest.mark.parametrize("widths", [(2, 3, 4), (5,), (3, 7)])
def test_shapes(kind: str, widths: tuple[int, ...]) -> None:
    logits = make(kind, 6, widths)(torch.randn(8, 6))
    assert [tuple(level.shape) for level in logits] == [(8, width) for width in widths]


@pytest.mark.parametrize(
    "kind, reached",  # which level's loss moves the weights that only the named level's head should use
    [("flat", [0]), ("coarse-to-fine", [0, 1, 2]), ("fine-to-coarse", [0]), ("coarse-and-fine", [0, 1, 2]), ("rnn", [0, 1, 2])],
)
def test_levels_that_teach_the_coarse_state(kind: str, reached: list[int]) -> None:
    """Which levels' errors reach the block that stands before the coarsest head."""
    net = make(kind)
    first = {"flat": "blocks.0.", "coarse-to-fine": "down.0.", "fine-to-coarse": "up.2.", "coarse-and-fine": "down.0.", "rnn": "stem."}[
        kind
    ]
    found = []
    for level in range(3):
        net.zero_grad()
        net(torch.randn(4, 6))[level].square().sum().backward()
        gradients = [p.grad for name, p in net.named_parameters() if name.startswith(first)]
        if any(g is not None and g.any() for g in gradients):
            found.append(level)
    assert found == reached


@pytest.mark.parametrize("kind", NETS)
def test_it_learns_and_decodes(kind: str) -> None:
    features, labels = blobs(300)
    model = fit_hierarchy(kind, features, labels, TREE, epochs=6, lr=3e-3, batch_size=32, generator=torch.Generator().manual_seed(0))
    held, truth = blobs(200, seed=1)
    probabilities = model.probabilities(held)
    assert [p.shape for p in probabilities] == [(200, size) for size in TREE.sizes]
    for level in probabilities:
        np.testing.assert_allclose(level.sum(axis=1), 1, rtol=1e-5)
    assert (decode(probabilities, TREE) == truth).all(axis=1).mean() > 0.9
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.probabilities(held)[2], probabilities[2])
    assert [p.shape for p in model.probabilities(held[:0])] == [(0, size) for size in TREE.sizes]


@pytest.mark.parametrize("weak", ["masked", "children", "residual"])
def test_a_few_fine_labels(weak: str) -> None:
    features, labels = blobs(300)
    labels = labels.copy()
    labels[20:, 1:] = -1
    labels[290:] = -1
    model = fit_hierarchy(
        "coarse-to-fine", features, labels, TREE, epochs=15, lr=3e-3, batch_size=32, generator=torch.Generator().manual_seed(0), weak=weak
    )
    held, truth = blobs(200, seed=1)
    assert (decode(model.probabilities(held), TREE) == truth).all(axis=1).mean() > 0.8


def test_the_generator_decides() -> None:
    features, labels = blobs(60)

    def once(seed: int) -> np.ndarray:  # type: ignore[type-arg]
        torch.rand(3)  # the global generator has no say
        generator = torch.Generator().manual_seed(seed)
        return fit_hierarchy("rnn", features, labels, TREE, epochs=2, lr=1e-3, batch_size=16, generator=generator).probabilities(features)[
            2
        ]

    np.testing.assert_array_equal(once(0), once(0))
    assert not np.array_equal(once(0), once(1))


def test_bad_input() -> None:
    features, labels = blobs(20)
    settings = {"epochs": 1, "lr": 1e-3, "batch_size": 8, "generator": torch.Generator()}
    with pytest.raises(UserError, match="Did you mean coarse-to-fine"):
        fit_hierarchy("coarse-to-fin", features, labels, TREE, **settings)  # type: ignore[arg-type]
    coarse = labels.copy()
    coarse[:, 2] = -1
    for weak in ("masked", "children", "residual"):
        with pytest.raises(UserError, match="no training row has a label on level 3"):
            fit_hierarchy("flat", features, coarse, TREE, weak=weak, **settings)  # type: ignore[arg-type]
    broken = features.copy()
    broken[3, 1] = np.nan
    with pytest.raises(UserError, match="row 3: a feature is not a finite number"):
        fit_hierarchy("flat", broken, labels, TREE, **settings)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no training row"):
        fit_hierarchy("flat", features[:0], labels[:0], TREE, **settings)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="not below"):
        fit_hierarchy("flat", features, np.where(labels[:, :1] >= 0, [[1, 0, 0]], labels), TREE, **settings)  # type: ignore[arg-type]


def test_a_constant_feature_and_a_single_row() -> None:
    features, labels = np.ones((1, 6), dtype=np.float32), np.array([[0, 0, 0]])
    tree = Tree((np.array([0]), np.array([0])))
    model = fit_hierarchy("coarse-and-fine", features, labels, tree, epochs=1, lr=1e-3, batch_size=8, generator=torch.Generator())
    assert [p.tolist() for p in model.probabilities(features)] == [[[1.0]]] * 3
    assert copy.deepcopy(model).tree is not None
