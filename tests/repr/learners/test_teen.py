from __future__ import annotations

from typing import Any

import numpy as np

from repr.learners.ncm import NCM
from repr.learners.teen import TEEN

Array = np.ndarray[Any, Any]


def by_the_paper(means: Array, base: int, a: float, t: float) -> Array:
    """Prototypes, novel ones calibrated, of class means (C, d) of which the first `base` are base: equations 4 and 5, one by one."""
    n = means / np.linalg.norm(means, axis=1, keepdims=True)
    prototypes = n.copy()
    for c in range(base, len(n)):
        logits = np.array([t * n[c] @ n[b] for b in range(base)])
        weights = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        pull = sum(w * n[b] for w, b in zip(weights, range(base), strict=True))
        prototypes[c] = (1 - a) * n[c] + a * pull / np.linalg.norm(pull)
    return prototypes / np.linalg.norm(prototypes, axis=1, keepdims=True)


def test_prototypes_are_the_papers_whatever_the_steps(shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, _ = shop
    means = np.stack([x[y == c].mean(axis=0) for c in range(12)]).astype(np.float64)
    expected = queries / np.linalg.norm(queries, axis=1, keepdims=True) @ by_the_paper(means, 8, 0.5, 16).T
    learner = TEEN(scale=1).learn(x[y < 8], y[y < 8])
    for c in (10, 9, 8, 11):
        learner.learn(x[y == c], y[y == c])
    assert np.allclose(learner.scores(queries), expected, atol=1e-5)


def test_without_a_move_or_without_novel_classes_it_is_nearest_class_mean(shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, _ = shop
    reference = NCM(scale=1).learn(x, y).scores(queries)
    assert np.allclose(TEEN(scale=1).learn(x, y).scores(queries), reference, atol=1e-5)
    still = TEEN(scale=1, alpha=0).learn(x[y < 8], y[y < 8]).learn(x[y >= 8], y[y >= 8])
    assert np.allclose(still.scores(queries), reference, atol=1e-5)


def test_a_novel_prototype_moves_towards_the_base_class_beside_it() -> None:
    """Base at 0° and 90°, novel at 20°: the calibrated one lies between 0° and 20°, since cos 20° outweighs cos 70°."""
    angle = np.deg2rad([0, 90, 20])
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    learner = TEEN().learn(x[:2], np.array([0, 1])).learn(x[2:], np.array([2]))
    prototype = learner.novel_.row(2)
    assert 0 < np.rad2deg(np.arctan2(prototype[1], prototype[0])) < 20


def test_more_shots_of_a_base_class_leave_it_base(shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, *_ = shop
    learner = TEEN().learn(x[y < 8], y[y < 8]).learn(x[y == 9], y[y == 9]).learn(x[:1] * 2, y[:1])
    assert learner.base_.classes.tolist() == list(range(8))
    assert learner.novel_.classes.tolist() == [9]
