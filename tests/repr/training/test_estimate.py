"""What a run will take: the bytes are those that its files have; timing a step leaves the method as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from repr.images.views import preset
from repr.methods import METHODS, load
from repr.methods.method import Method
from repr.models.encoder import Encoder
from repr.training import checkpoint, optim
from repr.training.checkpoint import Checkpoint
from repr.training.data import Batches
from repr.training.estimate import checkpoint_bytes, seconds_a_step


def method(name: str = "supervised") -> Method:
    """A method around a small network with a batch norm."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 64, 4, stride=4), nn.BatchNorm2d(64), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 512))
    settings = METHODS[name].settings()
    cls = load(name)
    return cls(Encoder(network, "resnet18", 16), 4, preset(cls.default_views, 16), cls.fitted(settings, 64, 8))


def batches() -> Batches:
    """Eight images a step."""
    pixels = np.random.default_rng(0).integers(0, 256, (16, 20, 20, 3), dtype=np.uint8)
    return Batches(pixels, np.arange(16) % 4, batch_size=8, epochs=1, seed=0)


@pytest.mark.parametrize("name", ["supervised", "byol"])
def test_timing_leaves_the_method_and_the_chance_as_they_were(name: str) -> None:
    timed, state = method(name), torch.get_rng_state()
    before = {key: tensor.clone() for key, tensor in timed.state_dict().items()}
    seconds = seconds_a_step(timed, batches(), optimiser=load(name).recipe.optimiser)
    assert 0 < seconds < 60 and torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(tensor, before[key]) for key, tensor in timed.state_dict().items())
    assert all(parameter.grad is None for parameter in timed.parameters())


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("averaged", [False, True])
def test_the_bytes_are_those_of_the_checkpoint_and_the_weights(name: str, averaged: bool, tmp_path: Path) -> None:
    """To within the names that the files hold too."""
    of = method(name)
    trained = [parameter for parameter in of.parameters() if parameter.requires_grad]
    optimiser = optim.make("sgd", [of], lr=0.1, momentum=0.9, weight_decay=0.0)
    for parameter in trained:
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    state = of.state_dict()
    checkpoint.save(tmp_path, Checkpoint(1, {}, "", state, optimiser.state_dict(), dict(state) if averaged else {}))
    written = (tmp_path / checkpoint.FILE).stat().st_size
    if averaged:  # torch writes tensors that are one in memory once
        written += sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    weights = sum(parameter.numel() * parameter.element_size() for parameter in of.encoder.parameters())
    assert checkpoint_bytes(of, averaged=averaged) == pytest.approx(written + weights, rel=0.1, abs=60_000)
