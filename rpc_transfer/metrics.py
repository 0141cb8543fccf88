"""What a transfer is judged by: pure functions on arrays.

Labels and predictions are (n,) int64 class numbers: 0..base-1 are the base classes, base.. the novel ones, in the order
they were taken in. All rates are fractions 0-1; a rate over no images is NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from repr.arrays import Bools, Doubles, Floats, Ints
from repr.records import Json, from_json

Scores = Floats | Doubles


@dataclass(frozen=True)
class Step:
    """How a learner stands after a step: classes known, and accuracy on the tests of these, over these; None where there are none."""

    classes: int
    acc_all: float | None
    acc_base: float | None
    acc_novel: float | None

    @classmethod
    def of(cls, classes: int, rates: Mapping[str, float]) -> Step:
        """From `accuracies`."""
        known = (None if math.isnan(rates[name]) else rates[name] for name in ("acc_all", "acc_base", "acc_novel"))
        return cls(classes, *known)


def read_steps(steps: Json) -> list[Step]:
    """The steps of a trial, from its details. Raises UserError for what is none."""
    assert isinstance(steps, Sequence)
    return [from_json(Step, step) for step in steps]


def accuracy(labels: Ints, predictions: Ints) -> float:
    """Share of images named rightly (micro: every image counts the same)."""
    return float(np.mean(labels == predictions)) if len(labels) else float("nan")


def macro_accuracy(labels: Ints, predictions: Ints) -> float:
    """Mean over the classes that occur in `labels` of the share named rightly (balanced accuracy)."""
    if not len(labels):
        return float("nan")
    _, inverse = np.unique(labels, return_inverse=True)
    return float(np.mean(np.bincount(inverse, weights=labels == predictions) / np.bincount(inverse)))


def harmonic_mean(a: float, b: float) -> float:
    """2ab / (a + b); 0 when both are 0, NaN when either is."""
    return 2 * a * b / (a + b) if a + b != 0 else 0.0


def accuracies(labels: Ints, predictions: Ints, base: int) -> dict[str, float]:
    """acc_all, acc_base, acc_novel, each over all classes as choices, and the harmonic mean of base and novel."""
    old = labels < base
    acc_base, acc_novel = accuracy(labels[old], predictions[old]), accuracy(labels[~old], predictions[~old])
    return {
        "acc_all": accuracy(labels, predictions),
        "acc_base": acc_base,
        "acc_novel": acc_novel,
        "harmonic_mean": harmonic_mean(acc_base, acc_novel),
    }


def macro_accuracies(labels: Ints, predictions: Ints, base: int) -> dict[str, float]:
    """The macro counterparts: every class counts the same, however many test images it has."""
    old = labels < base
    return {
        "macro_all": macro_accuracy(labels, predictions),
        "macro_base": macro_accuracy(labels[old], predictions[old]),
        "macro_novel": macro_accuracy(labels[~old], predictions[~old]),
    }


def confusion_rates(labels: Ints, predictions: Ints, base: int) -> dict[str, float]:
    """base_to_novel: share of base images given a novel name; novel_to_base: share of novel images given a base name."""
    old = labels < base
    return {
        "base_to_novel": float(np.mean(predictions[old] >= base)) if old.any() else float("nan"),
        "novel_to_base": float(np.mean(predictions[~old] < base)) if (~old).any() else float("nan"),
    }


def per_group(labels: Ints, predictions: Ints, groups: Sequence[str]) -> dict[str, float]:
    """Accuracy on the images of each group of classes; `groups[c]` is the group (the supercategory) of class c."""
    of_image = np.asarray(groups, dtype=object)[labels] if len(labels) else np.array([], dtype=object)
    return {str(g): accuracy(labels[of_image == g], predictions[of_image == g]) for g in sorted(set(of_image.tolist()))}


def forgetting(before: float, after: float) -> float:
    """forgetting_base: accuracy on base images over the base classes just after the base step, minus their accuracy
    over all classes at the end. Negative when the base classes gained."""
    return before - after


def risk_coverage(confidence: Scores, correct: Bools) -> tuple[Scores, Scores]:
    """Coverage and risk when only the most confident images are answered (El-Yaniv and Wiener, 2010).

    Returns two (m,) arrays in order of falling confidence, one point a distinct confidence: the share answered, and the
    share of errors among those. Images of equal confidence are answered together.
    """
    order = np.argsort(-np.asarray(confidence, dtype=np.float64), kind="stable")
    ranked = np.asarray(confidence, dtype=np.float64)[order]
    wrong = np.cumsum(~np.asarray(correct, dtype=bool)[order])
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) if len(ranked) else np.array([], dtype=np.int64)
    answered = last + 1
    return answered / max(len(ranked), 1), wrong[last] / answered


def area_under_risk_coverage(confidence: Scores, correct: Bools) -> float:
    """Mean risk over all coverages (AURC): 0 is perfect, the error rate is what random order gives. NaN for no images."""
    coverage, risk = risk_coverage(confidence, correct)
    if not len(coverage):
        return float("nan")
    return float(np.sum(np.diff(coverage, prepend=0.0) * risk))


def auroc(known: Scores, unknown: Scores) -> float:
    """Area under the ROC of taught (`known`) against untaught products by score: the chance that a taught image
    scores higher than an untaught one, ties counting half (Mann-Whitney). NaN when either is empty."""
    if not len(known) or not len(unknown):
        return float("nan")
    ranks = rankdata(np.concatenate([known, unknown]))
    n, m = len(known), len(unknown)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


def threshold_keeping(scores: Scores, keep: float = 0.95) -> float:
    """The highest threshold at which at least the share `keep` of `scores` is accepted (score >= threshold)."""
    assert len(scores) and 0 < keep <= 1
    ranked = np.sort(np.asarray(scores, dtype=np.float64))[::-1]
    return float(ranked[int(np.ceil(keep * len(ranked) - 1e-9)) - 1])


def fpr_at_tpr(known: Scores, unknown: Scores, tpr: float = 0.95) -> float:
    """Share of untaught images accepted at the threshold that accepts at least `tpr` of the taught ones."""
    if not len(known) or not len(unknown):
        return float("nan")
    return float(np.mean(np.asarray(unknown, dtype=np.float64) >= threshold_keeping(known, tpr)))
