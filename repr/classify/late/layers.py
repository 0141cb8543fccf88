"""One or two layers on the models' probabilities, several networks of them by majority vote.

Bi, Wang and Fan, A Multimodal Late Fusion Model, SIGIR eCom 2020, sections 3.3.2 and 4.1: hidden size 6, Adam at 0.01, 40 epochs, eight
networks, each trained without one fold. There each kept its best epoch on the rows that it is then measured on; here the last is kept.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from repr.arrays import Floats, Ints
from repr.classify.late.vote import voted
from repr.classify.settings import Settings
from repr.classify.state import Restored, State, into_network, of_network
from repr.learners.heads import ask, entropy, seeded
from repr.training.finetune import fit_network

FOLDS, EPOCHS, RATE, BATCH = 8, 40, 0.01, 64  # the batch is not told there


def fusion_network(width: int, hidden: int, classes: int) -> nn.Sequential:
    """(b, width) probabilities side by side → (b, classes). hidden: of the layer between, 0 for none."""
    if not hidden:
        return nn.Sequential(nn.Linear(width, classes))
    return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, classes))


class Layers:
    """`layer` is one layer, `layers` are two."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def _hidden(self) -> int:
        return self.settings.fuse_hidden if self.settings.model == "layers" else 0

    def fit(self, probabilities: Floats, labels: Ints, generator: torch.Generator) -> Layers:
        """Learn from (m, n, c) and labels (n,): FOLDS networks, each without one fold of the rows."""
        inputs, truth = beside(probabilities), torch.from_numpy(labels)
        fold = torch.randperm(len(labels), generator=generator) % FOLDS
        self.networks_: list[nn.Module] = []
        for number in range(FOLDS):
            with seeded(generator):
                network = fusion_network(inputs.shape[1], self._hidden, probabilities.shape[2])
                chosen = fold != number if len(labels) > FOLDS else fold >= 0
                fit_network(
                    network, inputs[chosen], truth[chosen], loss=entropy, generator=generator, epochs=EPOCHS, lr=RATE, batch_size=BATCH
                )
            self.networks_.append(network)
        return self

    def fuse(self, probabilities: Floats) -> Floats:
        """(m, n, c) → (n, c)."""
        inputs = beside(probabilities)
        found = [torch.from_numpy(ask(network, inputs)).softmax(dim=1).numpy() for network in self.networks_]
        return voted(np.stack(found))

    def state(self) -> State:
        """The networks."""
        state = State(facts={"networks": len(self.networks_)})
        for number, network in enumerate(self.networks_):
            state |= of_network(network).under(str(number))
        return state

    def restore(self, state: Restored) -> Layers:
        """Take over what `state` gave."""
        self.networks_ = []
        for number in range(int(str(state.fact("networks")))):
            arrays = state.below(str(number)).arrays
            width, classes = (
                arrays.floats("0.weight", None, None).shape[1],
                len(arrays.floats("2.bias" if self._hidden else "0.bias", None)),
            )
            self.networks_.append(into_network(fusion_network(width, self._hidden, classes), arrays))
        return self


def beside(probabilities: Floats) -> Tensor:
    """(m, n, c) → (n, m·c), model by model."""
    models, rows, classes = probabilities.shape
    return torch.from_numpy(np.ascontiguousarray(probabilities.transpose(1, 0, 2)).reshape(rows, models * classes))
