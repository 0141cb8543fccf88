"""The precision of a step, its memory layout, and one step against torch's own."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from repr.models.devices import autocast_dtype
from repr.models.encoder import Encoder
from repr.training.precision import as_channels_last, autocast, gradient_step, laid_out, precision

CPU = torch.device("cpu")


def encoder(size: int = 16) -> Encoder:
    """Four features by one convolution."""
    torch.manual_seed(0)
    return Encoder(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten()), "resnet18", size)


def test_small_images_are_trained_in_float32_on_a_cpu() -> None:
    assert precision(CPU, encoder(32)) == torch.float32
    assert precision(CPU, encoder(33)) == (autocast_dtype(CPU, depthwise=False) or torch.float32)
    with autocast(CPU, encoder(32)):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_context_is_of_the_precision(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("repr.training.precision.autocast_dtype", lambda *_, **__: torch.bfloat16)
    assert precision(torch.device(device), encoder(64)) == torch.bfloat16
    assert precision(torch.device("cuda"), encoder(16)) == torch.bfloat16, "the fault is the CPU's"
    with autocast(CPU, encoder(64)):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16


def test_channels_last_changes_the_order_and_no_value() -> None:
    network, view = encoder().network, torch.rand(2, 3, 8, 8)
    before = copy.deepcopy(network)(view)
    assert laid_out(network)[0].weight.is_contiguous(memory_format=torch.channels_last)
    other = as_channels_last(view)
    assert other.is_contiguous(memory_format=torch.channels_last) and torch.equal(other, view)
    torch.testing.assert_close(network(other), before)


class Summed(nn.Module):
    """A method whose loss is the mean feature, times the labels."""

    def __init__(self, of: Encoder) -> None:
        super().__init__()
        self.encoder = of

    def forward(self, views: tuple[Tensor, ...], labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, and the features."""
        features = self.encoder(views[0])
        return (features.mean(dim=1) * labels).sum(), {"features": features.detach()}


def test_a_step_is_one_of_gradient_descent() -> None:
    method = Summed(encoder())
    reference = copy.deepcopy(method)
    views, labels = (torch.rand(2, 3, 16, 16),), torch.tensor([1.0, 3.0])
    optimiser = torch.optim.SGD(method.parameters(), lr=0.5)
    for parameter in method.parameters():
        parameter.grad = torch.full_like(parameter, 7.0)  # what a step before has left does not count
    loss, watched = gradient_step(method, method.encoder, optimiser, views, labels)
    expected, _ = reference(views, labels)
    expected.backward()
    assert not loss.requires_grad and float(loss) == pytest.approx(float(expected)) and watched["features"].shape == (2, 4)
    for ours, theirs in zip(method.parameters(), reference.parameters(), strict=True):
        assert theirs.grad is not None
        torch.testing.assert_close(ours, theirs - 0.5 * theirs.grad)
