"""The long tail: classes by their number of training rows, balanced sampling, logit adjustment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repr.arrays import Array, Floats, Ints
from repr.evaluation.calibration import log_softmax

MANY, FEW = 100, 20  # Liu et al., Open Long-Tailed Recognition, CVPR 2019: many-shot above 100, few-shot under 20 training images
BUCKETS = ("many", "medium", "few", "none")


def bucket(counts: Ints) -> Array:
    """(c,) the bucket of each class by its training rows: many (> 100), medium (20 to 100), few (1 to 19), none."""
    return np.select([counts > MANY, counts >= FEW, counts > 0], BUCKETS[:3], BUCKETS[3])


@dataclass(frozen=True)
class OfBucket:
    """How the classes of a bucket that the test has fare: their number, test rows, the share of those that is right, mean recall."""

    classes: int
    rows: int
    top1: float
    recall: float


def by_bucket(counts: Ints, truth: Ints, predicted: Ints) -> dict[str, OfBucket]:
    """Each bucket that the test has, by name.

    counts: (c,) training rows a class; truth, predicted: (n,) class numbers.
    """
    of_class, right = bucket(counts), truth == predicted
    buckets: dict[str, OfBucket] = {}
    for name in BUCKETS:
        inside = of_class[truth] == name
        if inside.any():
            classes, which = np.unique(truth[inside], return_inverse=True)
            recall = np.bincount(which, weights=right[inside]) / np.bincount(which)
            top1, mean = float(right[inside].mean()), float(recall.mean())
            buckets[name] = OfBucket(len(classes), int(inside.sum()), top1, mean)
    return buckets


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
