"""What a wrong answer costs on a tree: hierarchical precision, recall and F, and how far up a mistake reaches."""

from __future__ import annotations

import numpy as np

from repr.arrays import Ints


def hierarchical(truth: Ints, predicted: Ints) -> dict[str, float]:
    """hP, hR and hF over all rows, as fractions: shared classes of the two paths, by predicted, by true ones, and their harmonic mean.

    truth, predicted: int (n, levels), coarse first; -1 where a path has no class. Micro averages, as in Kiritchenko et al. 2006 and
    in HiClass's precision, recall and f1. A measure without anything to count is 0.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    assert truth.shape == predicted.shape and truth.ndim == 2, f"{truth.shape}, {predicted.shape}"
    shared = int(((truth == predicted) & (truth >= 0)).sum())
    said, true = int((predicted >= 0).sum()), int((truth >= 0).sum())
    return {
        "hP": shared / said if said else 0.0,
        "hR": shared / true if true else 0.0,
        "hF": 2 * shared / (said + true) if said + true else 0.0,
    }


def mistake_height(truth: Ints, predicted: Ints) -> float | None:
    """Mean height of the mistakes: how many levels above the finest one the two paths meet; None without a mistake.

    truth, predicted: int (n, levels), coarse first. A mistake is a row whose finest class is wrong: 1 when the parent is right, …,
    the number of levels when they meet only at the root. Rows whose finest class is unknown (-1) do not count.
    Bertinetto et al., Making Better Mistakes, CVPR 2020: mean height of the lowest common ancestor over the mistakes.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    assert truth.shape == predicted.shape and truth.ndim == 2, f"{truth.shape}, {predicted.shape}"
    wrong = (truth[:, -1] >= 0) & (truth[:, -1] != predicted[:, -1])
    if not wrong.any():
        return None
    agree = np.cumprod(truth[wrong] == predicted[wrong], axis=1).sum(axis=1)
    return float((truth.shape[1] - agree).mean())
