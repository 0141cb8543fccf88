"""What looks alike across classes, on points whose neighbours can be seen and against a plain loop."""

from __future__ import annotations

import numpy as np

from repr.evaluation.lookalikes import SAME, closest_groups, shared_looks


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def at(*degrees: float) -> np.ndarray:
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_the_closest_pair_of_two_classes_comes_first_and_no_image_twice() -> None:
    features, labels = at(0, 4, 90, 97, 180), np.array([0, 1, 0, 1, 1])
    closest = closest_groups(features, labels, groups=3, size=1)
    assert [{group.image, *group.others} for group in closest] == [{0, 1}, {2, 3}]  # 180 is left, without another class
    assert abs(closest[0].likeness[0] - np.cos(np.deg2rad(4))) < 1e-5


def test_images_of_the_same_class_and_the_same_photograph_do_not_count() -> None:
    features, labels = at(0, 0, 1, 30), np.array([0, 1, 0, 1])
    (group,) = closest_groups(features, labels, groups=1, size=3)
    assert group.image in (2, 3) and all(value <= SAME for value in group.likeness)
    assert closest_groups(features, np.zeros(4, int), groups=2, size=2) == []


def test_groups_against_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(40, 6)).astype(np.float32), rng.integers(0, 4, 40)
    closest = closest_groups(features, labels, groups=2, size=3)
    best = max((cosine(features[i], features[j]), i) for i in range(40) for j in range(40) if labels[i] != labels[j])
    assert abs(closest[0].likeness[0] - best[0]) < 1e-5
    first = closest[0].image
    others = [j for j in range(40) if labels[j] != labels[first]]
    others.sort(key=lambda j: -cosine(features[first], features[j]))
    assert list(closest[0].others) == others[:3]


def test_an_image_that_looks_like_another_class() -> None:
    assert shared_looks(at(0, 3, 50, 52.6, 55), np.array([0, 1, 2, 2, 2])).tolist() == [True, True, False, False, False]
