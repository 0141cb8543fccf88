"""Losses for rows of which only the upper levels are known, level by level and jointly.

Three answers to a row whose class on a level is unknown (labels -1):
"masked"    it does not count on that level;
"children"  −log Σ p(c) over the classes c below its deepest known class (a partial label);
"residual"  each class has, on every level below it, a residual class "one of mine, unknown which"; the row is labelled with it, and
            when predicting its probability is shared out among the classes it stands for.
Rows without any known class never count.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from repr.arrays import Floats, Ints
from repr.classify.hierarchy.tree import Tree


def masked_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy over the rows whose label is known: a scalar, 0 when there is none. logits: (b, c). labels: int64 (b,)."""
    known = labels >= 0
    return cross_entropy(logits, labels.clamp(min=0), reduction="none")[known].sum() / known.sum().clamp(min=1)


def children_loss(logits: Tensor, allowed: Tensor) -> Tensor:
    """Mean of −log Σ p(c) over the allowed classes c: a scalar, 0 when no row has any.

    logits: (b, c). allowed: bool (b, c); one True a row is plain cross-entropy, all True is 0, rows without a True do not count.
    """
    counted = allowed.any(dim=1)
    logits, allowed = logits[counted], allowed[counted]
    inside = logits.masked_fill(~allowed, -torch.inf).logsumexp(dim=1)
    return (logits.logsumexp(dim=1) - inside).sum() / counted.sum().clamp(min=1)


def allowed_classes(labels: Tensor, level: int, tree: Tree) -> Tensor:
    """(b, classes of `level`) bool: the classes a row may have, those below (or equal to) its deepest known class down to `level`.

    labels: int64 (b, levels), completed by `Tree.complete`. Rows of which nothing is known have none.
    """
    allowed = torch.zeros(len(labels), tree.sizes[level], dtype=torch.bool, device=labels.device)
    for known in range(level + 1):  # coarse first, so that a deeper known class overwrites
        rows = labels[:, known] >= 0
        below = torch.from_numpy(tree.descendants(known, level)).to(labels.device)
        allowed[rows] = below[labels[rows, known]]
    return allowed


def widths(tree: Tree, weak: str) -> tuple[int, ...]:
    """Outputs of each level: its classes and, for "residual", one more for every class of every level above it."""
    extra = np.cumsum([0, *tree.sizes[:-1]]) if weak == "residual" else np.zeros(tree.levels, dtype=np.int64)
    return tuple(int(size + more) for size, more in zip(tree.sizes, extra, strict=True))


def residual_labels(labels: Ints, tree: Tree) -> Ints:
    """Labels with the unknown ones replaced by the residual class of the row's deepest known class: (n, levels) int64.

    labels: (n, levels) completed by `Tree.complete`. On a level, residual classes are numbered after its own, coarse levels first.
    """
    filled = labels.copy()
    for level in range(1, tree.levels):
        offset = tree.sizes[level]
        for known in range(level):  # coarse first, so that a deeper known class overwrites
            rows = (labels[:, level] < 0) & (labels[:, known] >= 0)
            filled[rows, level] = offset + labels[rows, known]
            offset += tree.sizes[known]
    return filled


def without_residual(probabilities: Floats, level: int, tree: Tree) -> Floats:
    """(n, classes of `level`): each residual class's probability shared out among the classes below it, in proportion to theirs.

    probabilities: (n, widths(tree, "residual")[level]), rows sum to 1, and so do the answer's.
    """
    size = tree.sizes[level]
    own = np.maximum(probabilities[:, :size].astype(np.float64), 1e-30)  # children at nought share evenly
    total, offset = own.copy(), size
    for above in range(level):
        residual = probabilities[:, offset : offset + tree.sizes[above]]
        parent = tree.ancestors(level, above)
        mass = own @ tree.descendants(above, level).T
        total += own * (residual / mass)[:, parent]
        offset += tree.sizes[above]
    return np.asarray(total / total.sum(axis=1, keepdims=True), dtype=np.float32)


def joint_loss(logits: Sequence[Tensor], labels: Tensor, tree: Tree, weak: str) -> Tensor:
    """The sum over the levels of the level's mean loss: a scalar.

    logits: one (b, widths(tree, weak)[l]) a level, coarse first. labels: int64 (b, levels), from `Tree.complete`, and then from
    `residual_labels` for "residual". weak: one of WEAK.
    """
    total = torch.zeros((), device=labels.device)
    for level, scores in enumerate(logits):
        known = labels[:, level]
        if weak == "children" and bool((known < 0).any()):
            total = total + children_loss(scores, allowed_classes(labels, level, tree))
        else:
            total = total + masked_loss(scores, known)
    return total
