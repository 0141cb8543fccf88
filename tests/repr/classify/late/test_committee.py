"""The committee: the vote of the other ways to fuse, each as it is alone; kept and asked again it answers the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from repr.arrays import Floats, Ints
from repr.classify.late.boosting import Boosting
from repr.classify.late.committee import WIDER, Committee
from repr.classify.late.layers import Layers
from repr.classify.late.mean import WeightedMean, mixture
from repr.classify.late.product import WeightedProduct
from repr.classify.late.stacking import Stacking
from repr.classify.settings import Settings
from repr.classify.state import Restored

SETTINGS = Settings(model="committee")


@pytest.fixture(scope="module")
def problem() -> tuple[Floats, Ints]:
    """(2, 200, 3): the first model knows classes 0 and 1 apart, the second 2 from the rest."""
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 3
    logits = rng.normal(0, 1, (2, 200, 3))
    logits[0, np.arange(200), labels] += np.where(labels < 2, 3, 0)
    logits[1, :, 2] += np.where(labels == 2, 3, -3)
    shares = np.exp(logits)
    return (shares / shares.sum(axis=2, keepdims=True)).astype(np.float32), labels.astype(np.int64)


@pytest.fixture(scope="module")
def committee(problem: tuple[Floats, Ints]) -> Committee:
    return Committee(SETTINGS).fit(*problem, torch.Generator().manual_seed(0))


def test_its_members_are_all_other_ways_and_two_hidden_sizes(committee: Committee) -> None:
    assert [type(one) for one in committee.members_] == [Layers, Layers, Layers, WeightedMean, WeightedProduct, Stacking, Boosting]
    widths = [one.state().arrays["layers.0.bias"].shape[-1] for one in committee.members_[:3]]
    assert widths == [3, SETTINGS.fuse_hidden, WIDER * SETTINGS.fuse_hidden]


def test_each_row_is_answered_as_most_members_do(committee: Committee, problem: tuple[Floats, Ints]) -> None:
    probabilities, labels = problem
    fused = committee.fuse(probabilities)
    votes = np.stack([one.fuse(probabilities).argmax(axis=1) for one in committee.members_])
    counts = np.stack([(votes == k).sum(axis=0) for k in range(3)], axis=1)
    assert (counts[np.arange(200), fused.argmax(axis=1)] == counts.max(axis=1)).all()
    np.testing.assert_allclose(fused.sum(axis=1), 1, atol=1e-5)
    alone = max((probabilities[m].argmax(axis=1) == labels).mean() for m in range(2))
    assert (fused.argmax(axis=1) == labels).mean() > alone


def test_kept_and_restored_it_answers_the_same(committee: Committee, problem: tuple[Floats, Ints]) -> None:
    again = Committee(SETTINGS).restore(Restored(committee.state().under("fuser"), "kept").below("fuser"))
    np.testing.assert_array_equal(again.fuse(problem[0]), committee.fuse(problem[0]))


def test_the_same_seed_gives_the_same_committee(problem: tuple[Floats, Ints], committee: Committee) -> None:
    again = Committee(SETTINGS).fit(*problem, torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(again.fuse(problem[0]), committee.fuse(problem[0]))


def test_weights_of_a_mean_are_the_likeliest_of_a_grid(problem: tuple[Floats, Ints]) -> None:
    probabilities, labels = problem
    own = probabilities[:, np.arange(200), labels].astype(np.float64)
    first, second = mixture(own)
    grid = [np.log(w * own[0] + (1 - w) * own[1]).sum() for w in np.linspace(0, 1, 201)]
    assert first + second == pytest.approx(1) and abs(first - np.linspace(0, 1, 201)[int(np.argmax(grid))]) < 0.01
    np.testing.assert_allclose(mixture(np.stack([own[0], own[0]])), 0.5)
    assert mixture(np.array([[0.0, 0.0], [0.5, 0.5]]))[1] > 0.99, "a model that never names the right class has no weight"
