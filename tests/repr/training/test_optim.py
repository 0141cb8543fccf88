"""Rates against their closed forms, LARS against lightly's, groups against a count by hand."""

from __future__ import annotations

import math

import pytest
import torch
import torchvision
from lightly.utils.lars import LARS as TheirLARS
from torch import nn

from repr.training import optim


def test_cosine_with_warm_up_at_known_places() -> None:
    def at(step: int) -> float:
        return optim.factor(step, 110, warmup=10, final=0.01)

    assert at(0) == pytest.approx(0.1)  # the first of ten steps up
    assert at(9) == at(10) == pytest.approx(1.0)
    assert at(60) == pytest.approx(0.505)  # half way down: the mean of 1 and 0.01
    assert at(110) == pytest.approx(0.01)


def test_steps_divide_by_ten_twice() -> None:
    rates = [optim.factor(step, 90, schedule="step") for step in (0, 29, 30, 59, 60, 89)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_constant_stays() -> None:
    assert optim.factor(1000, 1001, schedule="constant") == 1.0


def test_norms_and_biases_are_not_decayed() -> None:
    network = torchvision.models.resnet18(num_classes=3)
    decayed, plain = optim.groups([network], 0.1)
    convolutions = [m.weight for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert {id(p) for p in decayed["params"]} == {id(p) for p in convolutions}
    assert plain["weight_decay"] == 0 and decayed["weight_decay"] == 0.1
    assert len(decayed["params"]) + len(plain["params"]) == len(list(network.parameters()))


def test_shared_and_frozen_parameters() -> None:
    layer = nn.Linear(2, 2)
    layer.bias.requires_grad_(False)
    decayed, plain = optim.groups([layer, nn.Sequential(layer)], 0.1)
    assert len(decayed["params"]) == 1 and not plain["params"]


@pytest.mark.parametrize("weight_decay", [0.0, 1e-6, 0.1])
def test_lars_follows_lightly(weight_decay: float) -> None:
    """Same parameters after ten steps on the same gradients, a layer of zeros and one without gradient included."""
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(3, 4, generator=generator), torch.zeros(2, 2), torch.randn(5, generator=generator), torch.randn(2, 2)]
    ours, theirs = ([nn.Parameter(t.clone()) for t in start] for _ in range(2))
    a = optim.LARS(ours, lr=0.3, momentum=0.9, weight_decay=weight_decay)
    b = TheirLARS(theirs, lr=0.3, momentum=0.9, weight_decay=weight_decay)
    for _ in range(10):
        for mine, other in zip(ours[:3], theirs[:3], strict=True):
            mine.grad = torch.randn(mine.shape, generator=generator)
            other.grad = mine.grad.clone()
        ours[3].grad, theirs[3].grad = torch.zeros(2, 2), torch.zeros(2, 2)
        a.step()
        b.step()
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other)


def test_first_lars_step_in_closed_form() -> None:
    """w = (3, 4), g = (0, 1), no decay to speak of: the step is lr · trust · 5 / 1 along g."""
    w = nn.Parameter(torch.tensor([[3.0, 4.0]]))
    w.grad = torch.tensor([[0.0, 1.0]])
    optim.LARS([w], lr=1.0, momentum=0.0, weight_decay=1e-12).step()
    torch.testing.assert_close(w.detach(), torch.tensor([[3.0, 4.0 - 0.005]]))


def test_weights_are_scaled_whether_or_not_they_decay() -> None:
    for weight_decay in (0.0, 1e-9):
        layer = nn.Linear(2, 1)
        with torch.no_grad():
            layer.weight.copy_(torch.tensor([[3.0, 4.0]]))
        layer.weight.grad, layer.bias.grad = torch.tensor([[0.0, 1.0]]), torch.tensor([0.5])
        bias = layer.bias.detach().clone()
        optim.make("lars", [layer], lr=1.0, momentum=0.0, weight_decay=weight_decay).step()
        torch.testing.assert_close(layer.weight.detach(), torch.tensor([[3.0, 4.0 - 0.005]]))
        torch.testing.assert_close(layer.bias.detach(), bias - 0.5)


def test_set_rate_keeps_the_base() -> None:
    optimiser = optim.make("sgd", [nn.Linear(2, 2)], lr=0.4, momentum=0.9, weight_decay=0.1)
    assert optim.set_rate(optimiser, 0.5) == pytest.approx(0.2)
    assert optim.set_rate(optimiser, 1.0) == pytest.approx(0.4)
    assert not math.isnan(optimiser.param_groups[1]["lr"])


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "lars"])
def test_what_learns_faster_does_so_by_every_optimiser(name: str) -> None:
    """One step on the same gradient moves the fast layer ten times as far, bias and weight."""
    moved = []
    for times in (1.0, 10.0):
        layer = nn.Linear(3, 2)
        nn.init.constant_(layer.weight, 0.5)
        nn.init.constant_(layer.bias, 0.5)
        optim.learn_faster(layer, times)
        step = optim.make(name, [layer], lr=0.001, momentum=0.9, weight_decay=0.0)
        optim.set_rate(step, 1.0)
        layer(torch.ones(1, 3)).sum().backward()
        step.step()
        moved.append([0.5 - float(parameter.detach().flatten()[0]) for parameter in layer.parameters()])
    assert moved[1] == pytest.approx([10 * far for far in moved[0]], rel=0.02)
