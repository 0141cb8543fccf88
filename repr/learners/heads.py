"""Classifiers trained on frozen features: one objective, the cross-entropy of a softmax over a linear layer, and three optimisers of it.

L-BFGS   `softmax_head`: what a shop is taught is small and closed, and its answer must not hang on order, seed or rate.
SGD      the linear probe of `repr.evaluation.linear`: lightly's benchmark fixes rate, momentum and epochs, so that numbers compare.
Adam     the heads of `repr classify`: the MEP-3M paper fixes rate and batches, and its heads have hidden layers with dropout, on sets
         too large to go through for every step.

SGD and Adam are `fit_head`, by the one loop of `repr.training.finetune`; `ask` and `ranked` give their answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from repr.arrays import Floats, Ints
from repr.training.finetune import fit_network

DROPOUT = 0.5  # between wide layers, as in VGG (Simonyan and Zisserman, ICLR 2015, section 3.1)
ROWS = 4096  # rows at a time when asked


class Standardised(nn.Module):
    """Columns to mean 0 and deviation 1, as measured on the training rows (n, d); constant columns become 0."""

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


class Levelled(nn.Module):
    """Features divided by one number, the root mean square of the training rows (n, d), so that a rate means the same for every encoder."""

    def __init__(self, features: Floats) -> None:
        super().__init__()
        mean_square = np.einsum("ij,ij->", features, features, dtype=np.float64) / features.size  # no copy of it all
        self.register_buffer("scale", torch.tensor(np.float32(np.sqrt(mean_square) or 1.0)))
        self.scale: Tensor

    def forward(self, features: Tensor) -> Tensor:
        """(b, d) → (b, d)."""
        return features / self.scale


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


def layered(first: nn.Module, widths: Sequence[int]) -> nn.Sequential:
    """`first`, then layers of the widths, (b, widths[0]) → (b, widths[-1]), with dropout between them."""
    layers: list[nn.Module] = [first]
    for before, after in pairwise(widths[:-1]):
        layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(DROPOUT)]
    return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))


def fit_head(
    features: Floats,
    labels: Ints,
    classes: int,
    *,
    first: nn.Module,
    optimiser: Literal["adam", "sgd"],
    generator: torch.Generator,
    epochs: int,
    lr: float,
    batch_size: int,
    hidden: Sequence[int] = (),
    halve_every: int = 0,
    device: str | torch.device = "cpu",
) -> nn.Module:
    """A network on features (n, d) with labels (n,) in 0..classes-1: `first`, layers of the widths `hidden`, then the classes.

    first: `Standardised` or `Levelled`. generator: on the CPU, of weights, order and dropout. lr falls to 0 by a cosine, or is halved
    every `halve_every` epochs. Raises UserError when there is no row, or the loss is not finite.
    """
    with seeded(generator):
        return fit_network(
            layered(first, [features.shape[1], *hidden, classes]), torch.from_numpy(features), torch.from_numpy(labels),
            loss=entropy, generator=generator, device=device,
            epochs=epochs, lr=lr, batch_size=batch_size, optimiser=optimiser, halve_every=halve_every,
        )  # fmt: skip


@torch.inference_mode()
def ask(network: nn.Module, inputs: Tensor) -> Floats:
    """The network's outputs for (n, …) inputs as float32 (n, c), a few thousand rows at a time."""
    return np.asarray(torch.cat([part.float().cpu() for part in _outputs(network, inputs)]).numpy())


@torch.inference_mode()
def ranked(network: nn.Module, inputs: Tensor, top: int) -> Ints:
    """(n, top) the columns of the highest outputs for (n, …) inputs, best first, a few thousand rows at a time."""
    return np.asarray(torch.cat([part.topk(top, dim=1).indices.cpu() for part in _outputs(network, inputs)]).numpy())


def _outputs(network: nn.Module, inputs: Tensor) -> Iterator[Tensor]:
    device = next(network.parameters()).device
    for part in torch.split(inputs, ROWS):
        yield network(part.to(device))
