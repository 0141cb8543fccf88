"""Weighted k-nearest-neighbour classification on embeddings: how good they are with nothing trained on top.

Wu et al., Unsupervised Feature Learning via Non-Parametric Instance Discrimination, CVPR 2018 (arXiv 1805.01978), section
3.4: each of the k nearest stored images votes for its class with exp(cosine / T): `votes`, beside the learner that hears the nearest
alone. Constants as in lightly's ImageNet benchmark (benchmarks/imagenet/resnet50/knn_eval.py): k = 200, T = 0.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repr.arrays import Floats, Ints
from repr.evaluation.answers import TOP, Answers
from repr.learners.neighbour import votes
from repr.search.exact import neighbours, pieces

K = 200
TEMPERATURE = 0.1


@dataclass(frozen=True)
class KNN(Answers):
    """k: neighbours that voted (fewer than asked in a small bank)."""

    k: int


def knn(bank: Floats, bank_labels: Ints, queries: Floats, *, k: int = K, temperature: float = TEMPERATURE, own: Ints | None = None) -> KNN:
    """Classify queries (q, d) by their k nearest in the bank (n, d), both L2-normalised; bank_labels: (n,) int64 >= 0.

    own: (q,) each query's position in the bank, which is then left out of its neighbours; None when the two are apart.
    k is capped to the bank; the result says what was used. Equal votes go to the lower class number.
    """
    k = min(k, len(bank) - (own is not None))
    assert k > 0, "an empty bank"
    classes = np.unique(bank_labels)
    compact = np.searchsorted(classes, bank_labels)
    top = min(TOP, len(classes))
    predictions = np.empty((len(queries), top), np.int64)
    for part in pieces(len(queries), max(k, len(classes))):
        scores, positions = neighbours(queries[part], bank, k, None if own is None else own[part])
        totals = votes(scores, compact[positions], len(classes), temperature)
        predictions[part] = classes[np.argsort(-totals, axis=1, kind="stable")[:, :top]]
    return KNN(predictions, k)
