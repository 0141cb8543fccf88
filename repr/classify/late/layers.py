"""One or two layers on the models' probabilities, several networks of them by majority vote.

Bi, Wang and Fan, A Multimodal Late Fusion Model, SIGIR eCom 2020, sections 3.3.2 and 4.1: hidden size 6, Adam at 0.01, 40 epochs, eight
networks, each trained without one fold. There each kept its best epoch on the rows that it is then measured on; here the last is kept.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from repr.arrays import Floats, Ints
from repr.classify.late.vote import voted
from repr.classify.settings import Settings
from repr.classify.state import Restored, State, into_network, of_network
from repr.learners.heads import ask, seeded
from repr.training.finetune import fit_network

FOLDS, EPOCHS, RATE, BATCH = 8, 40, 0.01, 64  # the batch is not told there


class Linears(nn.Module):
    """FOLDS linear layers side by side: (FOLDS, b, inputs) → (FOLDS, b, outputs), each begun as torch begins one."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        reach = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(FOLDS, inputs, outputs).uniform_(-reach, reach))
        self.bias = nn.Parameter(torch.empty(FOLDS, 1, outputs).uniform_(-reach, reach))

    def forward(self, inputs: Tensor) -> Tensor:
        """What each of them gives."""
        return torch.baddbmm(self.bias, inputs, self.weight)


class Networks(nn.Module):
    """(b, width) probabilities side by side → (b, FOLDS, classes). hidden: of the layer between, 0 for none."""

    def __init__(self, width: int, hidden: int, classes: int) -> None:
        super().__init__()
        widths = [width, hidden, classes] if hidden else [width, classes]
        self.layers = nn.ModuleList(Linears(before, after) for before, after in pairwise(widths))

    def forward(self, rows: Tensor) -> Tensor:
        """The logits of every network."""
        states: Tensor = self.layers[0](rows.expand(FOLDS, *rows.shape))
        for layer in self.layers[1:]:
            states = layer(states.relu())
        return states.transpose(0, 1)


class Layers:
    """`layer` is one layer, `layers` are two."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def _hidden(self) -> int:
        return self.settings.fuse_hidden if self.settings.model == "layers" else 0

    def fit(self, probabilities: Floats, labels: Ints, generator: torch.Generator) -> Layers:
        """Learn from (m, n, c) and labels (n,): FOLDS networks at once, each from the rows that are not of its own fold."""
        inputs, truth = beside(probabilities), torch.from_numpy(labels)
        fold = torch.randperm(len(labels), generator=generator) % FOLDS
        if len(labels) <= FOLDS:  # too few to leave any out
            fold[:] = FOLDS
        with seeded(generator):
            self.network_ = fit_network(
                Networks(inputs.shape[1], self._hidden, probabilities.shape[2]), inputs, torch.stack([truth, fold], dim=1),
                loss=each_without_its_fold, generator=generator, epochs=EPOCHS, lr=RATE, batch_size=BATCH,
            )  # fmt: skip
        return self

    def fuse(self, probabilities: Floats) -> Floats:
        """(m, n, c) → (n, c)."""
        logits = torch.from_numpy(ask(self.network_, beside(probabilities)))
        return voted(logits.softmax(dim=2).transpose(0, 1).numpy())

    def state(self) -> State:
        """The networks."""
        return of_network(self.network_)

    def restore(self, state: Restored) -> Layers:
        """Take over what `state` gave."""
        last = state.arrays.floats(f"layers.{1 if self._hidden else 0}.bias", FOLDS, 1, None)
        width = state.arrays.floats("layers.0.weight", FOLDS, None, None).shape[1]
        self.network_ = into_network(Networks(width, self._hidden, last.shape[2]), state.arrays)
        return self


def each_without_its_fold(_: Tensor, logits: Tensor, truth: Tensor) -> Tensor:
    """The sum of the networks' cross-entropies, each the mean over the rows of a batch that are not of its fold.

    logits: (b, FOLDS, classes); truth: (b, 2), label and fold.
    """
    labels, fold = truth[:, 0], truth[:, 1]
    losses = cross_entropy(logits.transpose(1, 2), labels[:, None].expand(-1, FOLDS), reduction="none")
    counted = fold[:, None] != torch.arange(FOLDS, device=fold.device)
    return ((losses * counted).sum(dim=0) / counted.sum(dim=0).clamp(min=1)).sum()


def beside(probabilities: Floats) -> Tensor:
    """(m, n, c) → (n, m·c), model by model."""
    models, rows, classes = probabilities.shape
    return torch.from_numpy(np.ascontiguousarray(probabilities.transpose(1, 0, 2)).reshape(rows, models * classes))
