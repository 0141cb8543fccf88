"""How well boxes find products, whoever they are: average precision, recall and precision, and the threshold that serves both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from repr.arrays import Doubles
from repr.checkout.proposal import Proposal

FIT = 0.5  # IoU from which a box is of a product


@dataclass(frozen=True)
class Finding:
    """ap: area under precision over recall, all scores, at IoU 0.5; threshold: the score of the best F1, and recall and precision there."""

    ap: float
    threshold: float
    recall: float
    precision: float


def finding(scenes: Iterable[tuple[Sequence[Proposal], Doubles]]) -> Finding:
    """Of some scenes' boxes, and the true ones (m, 4) x, y, w, h in the same pixels: the surer box takes the true one that fits it best."""
    scores, hits, true = list[float](), list[bool](), 0
    for proposals, boxes in scenes:
        free = np.ones(len(boxes), bool)
        true += len(boxes)
        for one in sorted(proposals, key=lambda proposal: -proposal.score):
            fits = np.where(free, ious(np.array(one.box), boxes), 0.0) if len(boxes) else np.zeros(0)
            best = int(fits.argmax()) if len(fits) else -1
            hit = best >= 0 and bool(fits[best] >= FIT)
            if hit:
                free[best] = False
            scores.append(one.score)
            hits.append(hit)
    if not scores or not true:
        return Finding(0.0, 0.5, 0.0, 0.0)
    order = np.argsort(-np.array(scores), kind="stable")
    ranked, true_so_far = np.array(scores)[order], np.cumsum(np.array(hits)[order])
    recall, precision = true_so_far / true, true_so_far / np.arange(1, len(true_so_far) + 1)
    f1 = 2 * recall * precision / np.maximum(recall + precision, 1e-12)
    last = int(np.flatnonzero(f1 == f1.max())[-1])
    below = ranked[last + 1] if last + 1 < len(ranked) else ranked[last]
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    ap = float((np.diff(recall, prepend=0.0) * envelope).sum())
    return Finding(ap, float((ranked[last] + below) / 2), float(recall[last]), float(precision[last]))


def ious(box: Doubles, boxes: Doubles) -> Doubles:
    """(m,) of a box (4,) with others (m, 4), x, y, w, h; 0 where neither has an area."""
    ends = np.minimum(box[:2] + box[2:], boxes[:, :2] + boxes[:, 2:])
    common = np.clip(ends - np.maximum(box[:2], boxes[:, :2]), 0, None).prod(1)
    union = box[2:].prod() + boxes[:, 2:].prod(1) - common
    return np.asarray(common / np.maximum(union, 1e-12))
