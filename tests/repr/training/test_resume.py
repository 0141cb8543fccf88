"""Going on exactly where a run stopped, and ending well when it goes wrong."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from repr.catalog.table import Catalog
from repr.errors import UserError
from repr.methods.supervised import Supervised
from repr.runs import Run
from repr.training import checkpoint, optim
from repr.training.fit import pretrain
from repr.training.settings import Settings
from repr.training.stop import Stopped

pytestmark = pytest.mark.usefixtures("thin")

SMALL: dict[str, Any] = {"size": 16, "epochs": 3, "batch_size": 16, "device": "cpu"}

Train = Callable[..., dict[str, Any]]


def start(path: Path, catalog: Catalog) -> Run:
    return Run.create(path, "repr pretrain", {}, data=catalog.name, synthetic=catalog.synthetic)


def interrupt_at(monkeypatch: pytest.MonkeyPatch, step: int, number: signal.Signals = signal.SIGINT) -> None:
    """Ctrl-C, or another signal, during the given step (from 1) of 12."""

    def after_step(self: Supervised, progress: float) -> None:
        if round(progress * 12) == step:
            signal.raise_signal(number)

    monkeypatch.setattr(Supervised, "after_step", after_step)


def test_dropout_follows_the_step(shop: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that draws in its layers, as VGG and Inception do, ends with the same bits too, and draws anew in every step."""
    original, drawn = Supervised.loss, []

    def loss(self: Supervised, views: tuple[Tensor, ...], labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        drawn.append(float(torch.rand(())))
        return original(self, views, labels)

    monkeypatch.setattr(Supervised, "loss", loss)
    state = torch.get_rng_state()
    run = start(tmp_path / "run", shop)
    with monkeypatch.context() as patch:
        interrupt_at(patch, 7)
        with pytest.raises(Stopped):
            pretrain(shop, Settings(**SMALL), run)
    torch.rand(3)
    pretrain(shop, Settings(**SMALL), run, resume=True)
    parts = drawn.copy()
    drawn.clear()
    torch.set_rng_state(state)
    pretrain(shop, Settings(**SMALL), start(tmp_path / "whole", shop))
    assert parts == drawn and len(set(drawn)) == 12
    assert torch.equal(torch.get_rng_state(), state)


def test_a_second_ctrl_c_does_not_wait_for_the_step(shop: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the last checkpoint holds is kept: of the first epoch, not of step 7."""
    original, calls = Supervised.loss, []

    def loss(self: Supervised, views: tuple[Tensor, ...], labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        calls.append(1)
        if len(calls) == 7:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            pytest.fail("went on")
        return original(self, views, labels)

    monkeypatch.setattr(Supervised, "loss", loss)
    run = start(tmp_path / "run", shop)
    with pytest.raises(Stopped):
        pretrain(shop, Settings(**SMALL), run)
    saved = checkpoint.load(run.path)
    assert saved is not None and saved.step == 4 and run.config["status"] == "stopped"


@pytest.mark.parametrize("step", [4, 7])
def test_stopped_and_resumed_it_ends_with_the_same_bits(
    train: Train, shop: Catalog, make_shop: Callable[..., Catalog], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Stopped within an epoch (7) or at its end (4), gone on with a copy of the data: weights, average and metrics as in one go."""
    options = {"ema": 0.9, "balanced": True}
    whole = train(shop, tmp_path / "whole", **options)
    run = start(tmp_path / "parts", shop)
    settings = Settings(**SMALL | options)
    with monkeypatch.context() as patch:
        interrupt_at(patch, step)
        with pytest.raises(Stopped):
            pretrain(shop, settings, run)
    assert run.config["status"] == "stopped"
    saved = checkpoint.load(run.path)
    assert saved is not None and saved.step == step
    resumed = pretrain(make_shop(tmp_path / "copy", val=4), settings, run, resume=True)
    a, b = load_file(whole["weights"]), load_file(resumed["weights"])
    assert all(torch.equal(a[name], b[name]) for name in a)
    exact = ("epoch", "step", "loss", "train_acc", "val_acc", "lr", "effective_rank")
    one, two = Run.open(tmp_path / "whole").metrics(), Run.open(tmp_path / "parts").metrics()
    assert [[row[name] for name in exact] for row in one] == [[row[name] for name in exact] for row in two]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_after_the_last_step_there_is_nothing_left_to_stop(
    shop: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    run = start(tmp_path / "run", shop)
    interrupt_at(monkeypatch, 12, number)
    pretrain(shop, Settings(**SMALL), run)
    assert run.config["status"] == "done" and run.metrics()[-1]["step"] == "12"
    assert (run.path / "weights.safetensors").exists()


def test_a_lower_rate_stays_lower(shop: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = start(tmp_path / "run", shop)
    for step, lr in ((4, 0.1), (7, 0.01)):
        with monkeypatch.context() as patch:
            interrupt_at(patch, step)
            with pytest.raises(Stopped):
                pretrain(shop, Settings(**SMALL | {"lr": lr}), run, resume=step > 4)
    assert Run.open(run.path).config["typed"] == {"lr": 0.01}
    finished = pretrain(shop, Settings(**SMALL | {"lr": 0.01}), run, resume=True)
    assert finished["metrics"]["lr"] == pytest.approx(0.01 * optim.factor(11, 12, warmup=1, schedule="cosine", final=0.0))


def test_other_settings_or_images_cannot_go_on(
    make_shop: Callable[..., Catalog], shop: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(tmp_path / "run", shop)
    with monkeypatch.context() as patch:
        interrupt_at(patch, 5)
        with pytest.raises(Stopped):
            pretrain(shop, Settings(**SMALL), run)
    with pytest.raises(UserError, match=r"other settings [(]schedule cosine then, step now"):
        pretrain(shop, Settings(**SMALL, schedule="step"), run, resume=True)
    with pytest.raises(UserError, match="images or labels have changed"):
        pretrain(make_shop(tmp_path / "other", val=4, seed=9), Settings(**SMALL), run, resume=True)
    for broken in (b"PK\x03\x04 cut short", b"", b"abc", b"\x80"):
        (run.path / checkpoint.FILE).write_bytes(broken)
        with pytest.raises(UserError, match="not a readable checkpoint"):
            pretrain(shop, Settings(**SMALL), run, resume=True)


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good(shop: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original, calls = Supervised.loss, []

    def loss(self: Supervised, views: tuple[Tensor, ...], labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        value, watched = original(self, views, labels)
        calls.append(1)
        return (value * math.nan if len(calls) == 7 else value), watched

    monkeypatch.setattr(Supervised, "loss", loss)
    run = start(tmp_path / "run", shop)
    with pytest.raises(UserError, match=r"at step 7 \(epoch 2\).*resume"):
        pretrain(shop, Settings(**SMALL), run)
    saved = checkpoint.load(run.path)
    assert saved is not None and saved.step == 4 and checkpoint.finite(saved.method)
    assert run.config["status"] == "stopped"
    monkeypatch.setattr(Supervised, "loss", original)
    assert pretrain(shop, Settings(**SMALL, lr=0.001), run, resume=True)["metrics"]["epoch"] == 3


def test_weights_that_are_no_numbers_are_told_at_their_step(shop: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The update of the fourth step, the last of the first epoch, breaks them; its loss was fine."""

    def after_step(self: Supervised, progress: float) -> None:
        if round(progress * 12) == 4:
            torch.nn.init.constant_(self.head.weight, math.inf)

    monkeypatch.setattr(Supervised, "after_step", after_step)
    with pytest.raises(UserError, match=r"the weights are not finite at step 4 \(epoch 1\)"):
        pretrain(shop, Settings(**SMALL), start(tmp_path / "run", shop))
    assert checkpoint.load(tmp_path / "run") is None
