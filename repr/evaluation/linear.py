"""The linear probe: one linear layer trained on the frozen features.

As lightly's ImageNet benchmark (benchmarks/imagenet/resnet50/linear_eval.py): 90 epochs, SGD with momentum 0.9, no weight
decay, learning rate 0.1 * batch / 256, cosine to 0, no warm-up. Three departures: the features are computed once, without
augmentation; they are divided by their root mean square, so that one rate serves all networks; and the last epoch is reported, where
lightly reports the best one on the evaluation set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from repr.arrays import Floats, Ints
from repr.evaluation.answers import TOP, Answers
from repr.training.finetune import fit_linear

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

    Features are divided by one number, their root mean square, so that the rate means the same for every encoder.
    generator: a CPU generator for the weights and the order. Raises UserError when the loss is not finite.
    """
    assert len(features) == len(labels) > 0
    classes, compact = np.unique(labels, return_inverse=True)
    scale = np.float32(np.sqrt(np.einsum("ij,ij->", features, features, dtype=np.float64) / features.size) or 1.0)  # no copy of it all
    batch = min(BATCH, len(features))
    layer = fit_linear(
        features / scale,
        compact.astype(np.int64),
        classes=len(classes),
        generator=generator,
        epochs=epochs,
        lr=RATE * batch / 256,
        batch_size=batch,
        device=device,
    )

    def best(x: Floats, top: int) -> Ints:
        with torch.inference_mode():
            chosen = layer(torch.from_numpy(x / scale).to(device)).topk(min(top, len(classes)), dim=1).indices
        return np.asarray(classes[chosen.cpu().numpy()], np.int64)

    return Probe(best(queries, TOP), float((best(features, 1)[:, 0] == labels).mean()))
