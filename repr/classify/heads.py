"""What is trained on frozen features: a linear layer or a few hidden ones, by the one loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from repr.arrays import Floats, Ints
from repr.classify.settings import Settings
from repr.models.devices import pick_device
from repr.training.finetune import fit_network

DROPOUT = 0.5  # between wide layers, as in VGG (Simonyan and Zisserman, ICLR 2015, section 3.1)
ROWS = 4096  # rows at a time when asked


class Standardised(nn.Module):
    """Columns to mean 0 and deviation 1, as measured on the training rows; constant columns become 0."""

    def __init__(self, features: Floats) -> None:
        super().__init__()
        spread = features.std(axis=0)
        self.register_buffer("mean", torch.from_numpy(np.asarray(features.mean(axis=0), np.float32)))
        self.register_buffer("scale", torch.from_numpy(np.where(spread > 1e-6, 1 / np.maximum(spread, 1e-6), 0).astype(np.float32)))
        self.mean: Tensor
        self.scale: Tensor

    def forward(self, features: Tensor) -> Tensor:
        """(b, d) → (b, d)."""
        return (features - self.mean) * self.scale


@contextmanager
def seeded(generator: torch.Generator) -> Iterator[None]:
    """Weights and dropout, which draw from torch's global generator, follow this one meanwhile; the global one is left as it was."""
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        yield


def entropy(_: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """The cross-entropy, in the form that the loop wants."""
    return cross_entropy(logits, labels)


def fit_head(
    features: Floats, labels: Ints, classes: int, *, hidden: Sequence[int], settings: Settings, epochs: int, generator: torch.Generator
) -> nn.Module:
    """A network on features (n, d) with labels (n,) in 0..classes-1: standardised, then layers of the widths `hidden`, then the classes."""
    widths = [features.shape[1], *hidden]
    with seeded(generator):
        layers: list[nn.Module] = [Standardised(features)]
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(DROPOUT)]
        network = nn.Sequential(*layers, nn.Linear(widths[-1], classes))
        return fit_network(
            network, torch.from_numpy(features), torch.from_numpy(labels), loss=entropy, generator=generator,
            device=pick_device(settings.device), **settings.training(epochs),
        )  # fmt: skip


@torch.inference_mode()
def ask(network: nn.Module, inputs: Tensor) -> Floats:
    """The network's outputs for (n, …) inputs as float32 (n, c), a few thousand rows at a time."""
    device = next(network.parameters()).device
    parts = [network(part.to(device)).float().cpu() for part in torch.split(inputs, ROWS)]
    return np.asarray(torch.cat(parts).numpy())


def blank(rows: int, classes: int) -> Floats:
    """(rows, classes) NaN: what a model says of rows that show it nothing. `run_trial` puts the classes' shares there."""
    return np.full((rows, classes), np.nan, np.float32)


def prior(labels: Ints, classes: int) -> Floats:
    """(classes,) logarithms of the classes' smoothed training shares: the answer where a row shows nothing."""
    return np.log((np.bincount(labels, minlength=classes) + 1) / (len(labels) + classes)).astype(np.float32)
