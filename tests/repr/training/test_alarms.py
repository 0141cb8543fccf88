"""Spread and effective rank at values known in closed form; each alarm rings, and silence when all is well."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from repr.catalog.table import Catalog
from repr.methods import heads
from repr.methods.supervised import Supervised
from repr.reports import training_report
from repr.runs import Run
from repr.training import alarms, loop

pytestmark = pytest.mark.usefixtures("thin")


def test_spread_of_axes_and_of_a_point() -> None:
    assert alarms.spread(torch.ones(8, 5)) == pytest.approx(0.0, abs=1e-6)
    both = torch.cat([torch.eye(6), -torch.eye(6)])
    assert alarms.spread(both) == pytest.approx(1.0, abs=1e-6)  # each number has variance 1/6 about 0


def test_spread_of_random_directions_is_about_one() -> None:
    features = torch.randn(4000, 64, generator=torch.Generator().manual_seed(0))
    assert alarms.spread(features) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_effective_rank_of_equal_directions(rank: int) -> None:
    """± e_i, i < rank: centred already, all singular values the same."""
    axes = torch.eye(rank, 7)
    assert alarms.effective_rank(torch.cat([axes, -axes])) == pytest.approx(rank, rel=1e-4)


def test_effective_rank_of_two_unequal_directions() -> None:
    """Singular values 3 : 1 → shares 0.75 and 0.25 → exp of their entropy."""
    features = torch.tensor([[3.0, 0], [-3, 0], [0, 1], [0, -1]])
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert alarms.effective_rank(features) == pytest.approx(math.exp(entropy), rel=1e-5)
    assert alarms.effective_rank(torch.ones(5, 3)) == 0.0


def test_effective_rank_of_many_rows_is_that_of_their_singular_values() -> None:
    features = torch.randn(400, 30, generator=torch.Generator().manual_seed(0)) * torch.logspace(0, -3, 30) + 5
    share = torch.linalg.svdvals((features - features.mean(dim=0)).double())
    share /= share.sum()
    assert alarms.effective_rank(features) == pytest.approx(float(torch.special.entr(share).sum().exp()), rel=1e-4)


GOOD: dict[str, Any] = {
    "settled": True, "loss": 1.0, "trivial": 4.0, "std": 0.6, "rank": 30.0, "rows": 64, "data_wait": 0.0, "seconds": 60.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ({"loss": 3.99}, "stuck", "stuck, no better than 4.000"),
        ({"std": 0.01}, "collapsed", "spread 0.010"),
        ({"rank": 1.1}, "collapsed", "effective rank 1.1"),
        ({"data_wait": 0.2}, "waiting", "waits for images 20%"),
    ],
)
def test_each_alarm(change: dict[str, Any], kind: str, words: str) -> None:
    alarm = alarms.judge(**GOOD | change)
    assert list(alarm) == [kind] and words in alarm[kind]


@pytest.mark.parametrize(
    "change",
    [{}, {"loss": 3.99, "settled": False}, {"loss": 3.99, "trivial": None}, {"data_wait": 0.2, "seconds": 1.0}, {"rank": 1.0, "rows": 2}],
)
def test_silence(change: dict[str, Any]) -> None:
    assert alarms.judge(**GOOD | change) == {}


@pytest.mark.parametrize(
    ("epochs", "an_epoch", "steps"),
    [
        (20, 10, 30),
        (3, 15, 15),
        (1, 6000, 2000),
        (20, 6000, 2000),
        (1, 3, 10),
    ],  # three epochs, a third of a short run; not hours, nor a step
)
def test_patience(epochs: int, an_epoch: int, steps: int) -> None:
    assert alarms.patience(epochs * an_epoch, an_epoch) == steps


def test_a_stuck_run_is_told_within_its_epochs_and_kept(
    train: Callable[..., dict[str, Any]], shop: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rate of 0 learns nothing: after a warm-up of 2 steps and ten more of 16 the looks say so, and the report too."""
    monkeypatch.setattr(loop, "SAVE_EVERY", 0.0)
    monkeypatch.setattr(alarms, "STUCK", 0.5)  # the loss of a single step varies
    train(shop, tmp_path / "run", lr=0.0, epochs=4)
    run = Run.open(tmp_path / "run")
    steps = [int(row["step"]) for row in run.warnings() if row["kind"] == "stuck"]
    assert steps[0] == 12 and steps[-1] == 16  # in between, an epoch's first batch alone may lie above or below
    html = training_report.write(run).read_text(encoding="utf-8")
    assert "12 to 16" in html and "is stuck, no better than 1.386" in html  # log of four classes


def test_byols_projector_is_watched_too(
    train: Callable[..., dict[str, Any]], shop: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its loss is at its best when the projector answers the same to everything, while the encoder need not have collapsed."""

    original = heads.byol

    def constant(dim: int) -> tuple[torch.nn.Module, torch.nn.Module]:
        projector, predictor = original(dim)
        torch.nn.init.zeros_(list(projector.modules())[-1].weight)
        return projector, predictor

    monkeypatch.setattr("repr.methods.byol.heads.byol", constant)
    train(shop, tmp_path / "run", method="byol", epochs=1, lr=0.0)
    assert [row["kind"] for row in Run.open(tmp_path / "run").warnings()] == ["collapsed"]


def test_classes_of_unequal_size_have_a_lower_trivial_loss(
    train: Callable[..., dict[str, Any]], shop: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nine in ten of one class: the best that tells nothing apart says so; where classes are drawn equally often they count as equal."""
    codes, training = shop.labels(1)[0], shop.column("split") == "train"
    rows = np.concatenate([np.flatnonzero((codes == code) & training)[:n] for code, n in ((0, 16), (1, 4))])
    alarms: list[Any] = []
    original = Supervised.trivial

    def trivial(self: Supervised, batch_size: int, shares: torch.Tensor | None = None) -> float | None:
        alarms.append(shares)
        return original(self, batch_size, shares)

    monkeypatch.setattr(Supervised, "trivial", trivial)
    for balanced in (False, True):
        train(shop.select(rows), tmp_path / str(balanced), epochs=1, balanced=balanced, val_share=0.0, batch_size=4)
    assert alarms[0].tolist() == pytest.approx([0.8, 0.2]) and alarms[-1] is None
