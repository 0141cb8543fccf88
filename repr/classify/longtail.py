"""The long tail: classes by their number of training rows, balanced sampling, logit adjustment."""

from __future__ import annotations

from typing import Any

import numpy as np

from repr.arrays import Floats, Ints
from repr.evaluation.calibration import log_softmax

MANY, FEW = 100, 20  # Liu et al., Open Long-Tailed Recognition, CVPR 2019: many-shot above 100, few-shot under 20 training images
BUCKETS = ("many", "medium", "few", "none")


def bucket(counts: Ints) -> np.ndarray[Any, Any]:
    """(c,) the bucket of each class by its training rows: many (> 100), medium (20 to 100), few (1 to 19), none."""
    return np.select([counts > MANY, counts >= FEW, counts > 0], BUCKETS[:3], BUCKETS[3])


def by_bucket(counts: Ints, truth: Ints, predicted: Ints) -> dict[str, dict[str, float]]:
    """For each bucket that the test has: classes, rows, top1 (share of rows right), recall (mean over its classes).

    counts: (c,) training rows a class; truth, predicted: (n,) class numbers.
    """
    of_class, right = bucket(counts), truth == predicted
    found: dict[str, dict[str, float]] = {}
    for name in BUCKETS:
        inside = of_class[truth] == name
        if inside.any():
            classes, which = np.unique(truth[inside], return_inverse=True)
            recall = np.bincount(which, weights=right[inside]) / np.bincount(which)
            top1, mean = float(right[inside].mean()), float(recall.mean())
            found[name] = {"classes": len(classes), "rows": int(inside.sum()), "top1": top1, "recall": mean}
    return found


def balanced(labels: Ints, rng: np.random.Generator) -> Ints:
    """(n,) positions drawn with replacement, every class equally likely: balanced sampling for any model."""
    counts = np.bincount(labels)
    weight = 1.0 / counts[labels]
    return rng.choice(len(labels), len(labels), p=weight / weight.sum()).astype(np.int64)


def adjust(logits: Floats, counts: Ints, tau: float = 1.0) -> Floats:
    """Logit adjustment after training: log p - tau log prior, (n, c) → (n, c); counts: (c,) training rows, all above 0.

    Menon et al., Long-Tail Learning via Logit Adjustment, ICLR 2021, the post-hoc form.
    """
    prior = np.log(counts / counts.sum()).astype(np.float32)
    return np.asarray(log_softmax(logits) - np.float32(tau) * prior, np.float32)
