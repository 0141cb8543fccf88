"""The linear probe: one linear layer trained on the frozen features.

As lightly's ImageNet benchmark (benchmarks/imagenet/resnet50/linear_eval.py): 90 epochs, SGD with momentum 0.9, no weight
decay, learning rate 0.1 * batch / 256, cosine to 0, no warm-up. Three departures: the features are computed once, without
augmentation; they are divided by their root mean square, so that one rate serves all networks; and the last epoch is reported, where
lightly reports the best one on the evaluation set. SGD, where the learners have L-BFGS: numbers are to be compared with others'.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from repr.arrays import Floats, Ints
from repr.evaluation.answers import TOP, Answers
from repr.learners.heads import Levelled, fit_head, ranked

EPOCHS = 90
BATCH = 256
RATE = 0.1  # at a batch of 256, in proportion otherwise


@dataclass(frozen=True)
class Probe(Answers):
    """Those of the last epoch. train_accuracy: share 0-1."""

    train_accuracy: float


def linear_probe(
    features: Floats,
    labels: Ints,
    queries: Floats,
    *,
    generator: torch.Generator,
    epochs: int = EPOCHS,
    device: str | torch.device = "cpu",
) -> Probe:
    """Train a linear layer on features (n, d) as the encoder gives them, with labels (n,), and classify queries (q, d).

    generator: a CPU generator for the weights and the order. Raises UserError when the loss is not finite.
    """
    assert len(features) == len(labels) > 0
    classes, compact = np.unique(labels, return_inverse=True)
    batch = min(BATCH, len(features))
    network = fit_head(
        features, compact.astype(np.int64), len(classes),
        first=Levelled(features), optimiser="sgd", generator=generator,
        epochs=epochs, lr=RATE * batch / 256, batch_size=batch, device=device,
    )  # fmt: skip

    def _best(x: Floats, top: int) -> Ints:
        return np.asarray(classes[ranked(network, torch.from_numpy(x), min(top, len(classes)))], np.int64)

    return Probe(_best(queries, TOP), float((_best(features, 1)[:, 0] == labels).mean()))
