"""All numbers of one classifier on one test part, from probabilities that come in blocks.

Nothing of size rows × classes is held, so that 600,000 test rows of 599 classes fit: average precision counts, for every
threshold at which recall rises, how many scores reach it. Two passes over the blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from repr.arrays import Floats, Ints
from repr.errors import UserError
from repr.evaluation.calibration import expected_calibration_error

RATES = ("top1", "top5", "ap_micro", "ap_macro", "f1_macro", "f1_weighted", "ece")
Blocks = Callable[[], Iterator[Floats]]  # each call starts again: (b, c) probabilities, rows in order


@dataclass(frozen=True)
class Measured:
    """Rates are fractions 0-1. predicted: (n,) class numbers; confidence: (n,) probability of the predicted class.

    ap_micro: average precision of all (row, class) scores in one list; ap_macro: mean over the classes that the test has;
    f1_macro: mean over the classes that the test has or that were predicted; f1_weighted: weighted by test rows, both as
    scikit-learn's. ap, precision, recall, f1: (c,), NaN where the test has no row of the class.
    """

    n: int
    top1: float
    top5: float
    ap_micro: float
    ap_macro: float
    f1_macro: float
    f1_weighted: float
    ece: float
    predicted: Ints
    confidence: Floats
    ap: Floats
    precision: Floats
    recall: Floats
    f1: Floats
    support: Ints

    @property
    def rates(self) -> dict[str, float]:
        """The rates by name, RATES."""
        return {name: float(getattr(self, name)) for name in RATES}


def check_sums(probabilities: Floats, where: str = "") -> None:
    """Raise UserError for rows (n, c) that are no probabilities: below 0, or not 1 in all. where: they come from."""
    wrong = np.flatnonzero((np.abs(probabilities.sum(axis=1) - 1) > 1e-3) | (probabilities.min(axis=1) < 0) | np.isnan(probabilities[:, 0]))
    if len(wrong):
        message = f"the probabilities of {len(wrong):,} rows do not sum to one, such as row {wrong[0]}"
        raise UserError(message, where, "Give the probabilities of all classes")


def measure(truth: Ints, blocks: Blocks, classes: int) -> Measured:
    """Measure probabilities against truth (n,) in 0..classes-1. Ties go to the smaller class number."""
    assert len(truth), "no test rows"
    n, done = len(truth), 0
    rank, predicted = np.empty(n, np.int64), np.empty(n, np.int64)
    own, confidence = np.empty(n, np.float32), np.empty(n, np.float32)
    for scores in blocks():
        part = slice(done, done + len(scores))
        rows, label = np.arange(len(scores)), truth[part]
        own[part] = scores[rows, label]
        ties = (scores == own[part, None]) & (np.arange(classes) < label[:, None])
        rank[part] = (scores > own[part, None]).sum(axis=1) + ties.sum(axis=1)
        predicted[part] = scores.argmax(axis=1)
        confidence[part] = scores[rows, predicted[part]]
        done = part.stop
    assert done == n, f"{done} rows of probabilities for {n} labels"
    precision, recall, f1, support = _per_class(truth, predicted, classes)
    ap_micro, ap = _average_precision(truth, own, blocks, classes)
    counted = (support > 0) | (np.bincount(predicted, minlength=classes) > 0)
    return Measured(
        n=n,
        top1=float((rank == 0).mean()),
        top5=float((rank < 5).mean()),
        ap_micro=ap_micro,
        ap_macro=float(np.nanmean(ap)),
        f1_macro=float(f1[counted].mean()),
        f1_weighted=float((f1 * support).sum() / n),
        ece=expected_calibration_error(confidence, rank == 0),
        predicted=predicted,
        confidence=confidence,
        ap=ap,
        precision=precision,
        recall=np.where(support > 0, recall, np.nan).astype(np.float32),
        f1=np.where(support > 0, f1, np.nan).astype(np.float32),
        support=support,
    )


def _per_class(truth: Ints, predicted: Ints, classes: int) -> tuple[Floats, Floats, Floats, Ints]:
    """Precision, recall, F1 (0 where there is nothing to divide by) and test rows of each class."""
    hits = np.bincount(truth[truth == predicted], minlength=classes)
    named, support = np.bincount(predicted, minlength=classes), np.bincount(truth, minlength=classes)
    precision, recall = hits / np.maximum(named, 1), hits / np.maximum(support, 1)
    f1 = 2 * hits / np.maximum(named + support, 1)
    return precision.astype(np.float32), recall.astype(np.float32), f1, support.astype(np.int64)


class _Steps:
    """Average precision of one list of scores, its positives known beforehand: the sum of precision × rise of recall."""

    def __init__(self, positives: Floats) -> None:
        self.thresholds, self.hits = np.unique(positives, return_counts=True)
        self.reached = np.zeros(len(self.thresholds) + 1, np.int64)  # scores that reach exactly so many thresholds

    def add(self, scores: Floats) -> None:
        """Count the scores (n,) of a block."""
        self.reached += np.bincount(np.searchsorted(self.thresholds, scores, side="right"), minlength=len(self.reached))

    def value(self) -> float:
        """Average precision over all that was counted, 0-1."""
        above = np.cumsum(self.reached[:0:-1])[::-1]  # scores at or above each threshold
        right = np.cumsum(self.hits[::-1])[::-1]
        return float((right / above * self.hits).sum() / self.hits.sum())


def _average_precision(truth: Ints, own: Floats, blocks: Blocks, classes: int) -> tuple[float, Floats]:
    """Over all scores in one list, and of each class (NaN without a positive). own: (n,) score of each row's true class."""
    order = np.argsort(truth, kind="stable")
    present, first = np.unique(truth[order], return_index=True)
    of_class = {int(label): _Steps(part) for label, part in zip(present, np.split(own[order], first[1:]), strict=True)}
    every = _Steps(own)
    for scores in blocks():
        every.add(scores.ravel())
        for label, steps in of_class.items():
            steps.add(scores[:, label])
    ap = np.full(classes, np.nan, np.float32)
    for label, steps in of_class.items():
        ap[label] = steps.value()
    return every.value(), ap
