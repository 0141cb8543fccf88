"""The small loop: uint8 images and labels in memory → a trained encoder and head.

One loop for whatever is trained from memory: the learners that train, the linear probe, classification.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from repr.arrays import Array
from repr.errors import UserError
from repr.images.views import Views, plain
from repr.training import optim
from repr.training.precision import as_channels_last, autocast, laid_out
from repr.training.rates import Schedule

if TYPE_CHECKING:
    from repr.models.encoder import Encoder

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]  # inputs, logits, labels → scalar
MOMENTUM = 0.9  # of SGD, as in lightly's and torchvision's own loops
WEIGHT_DECAY = 5e-4  # but on norms and biases; as Wide ResNets on CIFAR (Zagoruyko and Komodakis 2016)


class EncoderWithHead(nn.Module):
    """Images float (b, 3, s, s) in 0..1 → logits (b, classes): the encoder in the device's fastest precision, the head in float32."""

    def __init__(self, encoder: Encoder, head: nn.Module) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, images: Tensor) -> Tensor:
        """The logits."""
        with autocast(images.device, self.encoder):
            features = self.encoder(images)
        logits: Tensor = self.head(features.float())
        return logits


def fit_classifier(
    encoder: Encoder,
    pixels: Tensor | Array,
    labels: Tensor | Array,
    *,
    classes: int,
    head: nn.Module,
    generator: torch.Generator,
    epochs: int = 20,
    lr: float = 0.02,
    batch_size: int = 64,
    views: Views | None = None,
    loss: Loss | None = None,
    device: str | torch.device = "cpu",
) -> None:
    """Train encoder and head in place, on `device`; both are in eval mode afterwards.

    pixels: uint8 (n, h, h, 3). labels: int64 (n,) in 0..classes-1. head: features (b, dim) → logits (b, classes).
    generator: on the CPU; order and views follow it. views: random views of each batch; None for the evaluation transform.
    loss: of (inputs float (b, 3, s, s), logits (b, classes), labels (b,)), instead of cross-entropy. SGD, cosine schedule a
    step, WEIGHT_DECAY but on norms and biases. epochs 0 changes nothing.
    Raises UserError when there is no image, a label is outside 0..classes-1, or the loss is not finite.
    """
    device = torch.device(device)
    pixels, labels = torch.as_tensor(pixels), torch.as_tensor(labels)
    _check(pixels, labels, classes)
    encoder.to(device).eval()
    head.to(device).eval()
    if not epochs:
        return
    laid_out(encoder.network)
    with _seeded_layers(generator, device):
        _loop(
            EncoderWithHead(encoder, head), [encoder, head], _viewer(views, encoder.size, generator), pixels, labels,
            epochs=epochs, lr=lr, batch_size=batch_size, weight_decay=WEIGHT_DECAY,
            loss=loss or _cross_entropy, generator=generator, device=device,
        )  # fmt: skip


def fit_network(
    network: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    *,
    loss: Loss,
    generator: torch.Generator,
    epochs: int,
    lr: float,
    batch_size: int = 64,
    weight_decay: float = 0.0,
    optimiser: str = "adam",
    halve_every: int = 0,
    schedule: Schedule | None = None,
    transform: Callable[[Tensor], Tensor] | None = None,
    device: str | torch.device = "cpu",
) -> nn.Module:
    """Train any network in place, on `device`, by the same loop; returned in eval mode.

    inputs: (n, …); labels: (n, …), whatever `loss` of (inputs, network(inputs), labels) takes. optimiser: as `optim.make` has it.
    halve_every: halve the rate every so many epochs (MEP-3M's protocol: 2); 0 for the cosine schedule. schedule: instead of both.
    transform: applied to each batch of inputs on the device. epochs 0 changes nothing.
    Raises UserError when there is no row, or the loss is not finite.
    """
    assert len(inputs) == len(labels), f"{len(inputs)} inputs, {len(labels)} labels"
    if not len(inputs):
        raise UserError("nothing to train on", "", "Check the data and the split")
    device = torch.device(device)
    network.to(device).eval()
    _loop(
        network, [network], transform or _as_is, inputs, labels,
        epochs=epochs, lr=lr, batch_size=batch_size, weight_decay=weight_decay,
        loss=loss, generator=generator, device=device, optimiser=optimiser, halve_every=halve_every, schedule=schedule,
    )  # fmt: skip
    return network


def _loop(
    forward: nn.Module,
    trained: list[nn.Module],
    transform: Callable[[Tensor], Tensor],
    inputs: Tensor,
    labels: Tensor,
    *,
    epochs: int,
    lr: float,
    batch_size: int,
    weight_decay: float,
    loss: Loss,
    generator: torch.Generator,
    device: torch.device,
    optimiser: str = "sgd",
    halve_every: int = 0,
    schedule: Schedule | None = None,
) -> None:
    """The steps themselves: shuffled batches, the rate by schedule, cosine or halved; `trained` modules are in training mode meanwhile."""
    stepper = optim.make(optimiser, trained, lr=lr, momentum=MOMENTUM, weight_decay=weight_decay)
    parts = _parts(len(inputs), batch_size)
    with _in_training(trained, len(inputs) > 1):
        for epoch in range(epochs):
            order = torch.randperm(len(inputs), generator=generator)
            total = torch.zeros((), dtype=torch.float64, device=device)
            for i, chosen in enumerate(torch.split(order, parts)):
                step, total_steps = epoch * len(parts) + i, epochs * len(parts)
                fallen = 0.5 ** (epoch // halve_every) if halve_every else optim.factor(step, total_steps)
                optim.set_rate(stepper, schedule((step + 0.5) / total_steps) if schedule else fallen)
                batch, truth = transform(inputs[chosen].to(device)), labels[chosen].to(device)
                value = loss(batch, forward(batch).float(), truth)
                stepper.zero_grad()
                value.backward()  # type: ignore[no-untyped-call]
                stepper.step()
                total += value.detach() * len(chosen)
            mean = float(total) / len(inputs)
            if not np.isfinite(mean):
                raise UserError(f"the loss is not a finite number in epoch {epoch + 1}", "", f"Lower the rate (it was {lr:g})")


@contextmanager
def _in_training(modules: list[nn.Module], on: bool) -> Iterator[None]:
    """Modules in training mode, and in eval mode afterwards. on: not for a single image, whose batch norm would divide by nothing."""
    for module in modules:
        module.train(on)
    try:
        yield
    finally:
        for module in modules:
            module.eval()


@contextmanager
def _seeded_layers(generator: torch.Generator, device: torch.device) -> Iterator[None]:
    """Dropout draws from torch's global generators: seed them by the state of `generator`, which stays as it is, and set them back."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(zlib.crc32(generator.get_state().numpy().tobytes()))
        yield


def _parts(n: int, batch_size: int) -> list[int]:
    """Sizes of an epoch's batches; a last one of a single image joins the one before it."""
    sizes = [min(batch_size, n - first) for first in range(0, n, batch_size)]
    if len(sizes) > 1 and sizes[-1] == 1:
        sizes[-2:] = [sizes[-2] + 1]
    return sizes


def _viewer(views: Views | None, size: int, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
    if views is None:
        return lambda batch: as_channels_last(plain(batch, size))
    return lambda batch: as_channels_last(views(batch, generator))


def _as_is(batch: Tensor) -> Tensor:
    return batch


def _cross_entropy(_: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    return cross_entropy(logits, labels)


def _check(inputs: Tensor, labels: Tensor, classes: int) -> None:
    assert len(inputs) == len(labels), f"{len(inputs)} inputs, {len(labels)} labels"
    if not len(inputs):
        raise UserError("no images to train on", "", "Check the data and the number of shots")
    if int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise UserError(f"labels from {int(labels.min())} to {int(labels.max())} for {classes} classes", "", "Check the labels")
