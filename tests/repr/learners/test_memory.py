from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from repr.errors import UserError
from repr.learners.memory import Memory, herd
from repr.learners.stored import Stored

Array = np.ndarray[Any, Any]


def herding_by_the_paper(features: Array, m: int) -> list[int]:
    """iCaRL, algorithm 4, line by line: p_k = argmin over x of ‖μ − (φ(x) + Σ φ(p_j)) / k‖."""
    phi = [f / np.sqrt((f * f).sum()) for f in features.astype(np.float64)]
    mu = sum(phi) / len(phi)
    exemplars: list[int] = []
    for k in range(1, m + 1):
        best, best_distance = -1, np.inf
        for i, f in enumerate(phi):
            if i in exemplars:
                continue
            distance = float(np.linalg.norm(mu - (f + sum(phi[j] for j in exemplars)) / k))
            if distance < best_distance:
                best, best_distance = i, distance
        exemplars.append(best)
    return exemplars


@pytest.mark.parametrize("seed", range(5))
def test_herding_is_the_papers(seed: int) -> None:
    features = np.random.default_rng(seed).normal(size=(12, 5)) + 1
    assert herd(features.astype(np.float32), 8).tolist() == herding_by_the_paper(features.astype(np.float32), 8)


def test_the_image_nearest_to_the_mean_comes_first_and_none_twice() -> None:
    angles = np.deg2rad([0, 40, 48, 90])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert herd(features, 1).tolist() == [2]
    assert sorted(herd(features, 10).tolist()) == [0, 1, 2, 3]


def images(n: int) -> Array:
    return np.arange(n, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), dtype=np.uint8)


def test_room_is_shared_equally_and_shrinks_to_the_best() -> None:
    features = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    memory = Memory(9)
    memory.replace(images(20), np.repeat([5, 2], 10), lambda x: features[x[:, 0, 0, 0]])
    x, y = memory.contents()
    assert y.tolist() == [2] * 4 + [5] * 4
    assert x[:4, 0, 0, 0].tolist() == (10 + herd(features[10:], 4)).tolist()
    memory.replace(images(20), np.repeat([5, 2, 9, 1], 5), lambda x: features[x[:, 0, 0, 0]])
    assert memory.contents()[1].tolist() == [1, 1, 2, 2, 5, 5, 9, 9]


def test_a_class_without_a_new_image_keeps_the_first_of_what_it_had() -> None:
    """iCaRL, algorithm 5: the exemplars are a list in the order of their worth, cut and not chosen again by a later encoder."""
    features = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    memory = Memory(9)
    memory.replace(images(20), np.repeat([5, 2], 10), lambda x: features[x[:, 0, 0, 0]])
    kept, labels = memory.contents()
    new = images(3) + 100
    seen: list[int] = []

    def embed(x: Array) -> Array:
        seen.extend(x[:, 0, 0, 0].tolist())
        return -np.ones((len(x), 4), dtype=np.float32)

    memory.replace(np.concatenate([kept, new]), np.concatenate([labels, [7, 7, 7]]), embed)
    x, y = memory.contents()
    assert y.tolist() == [2, 2, 2, 5, 5, 5, 7, 7, 7] and seen == [100, 101, 102]
    assert np.array_equal(x[:6], np.concatenate([kept[:3], kept[4:7]]))


def test_none_keeps_all_and_zero_nothing() -> None:
    features = np.ones((6, 2), dtype=np.float32)
    everything, nothing = Memory(None), Memory(0)
    everything.replace(images(6), np.array([1, 0, 1, 0, 0, 0]), lambda _: features)
    nothing.replace(images(6), np.array([1, 0, 1, 0, 0, 0]), lambda _: features)
    x, y = everything.contents()
    assert y.tolist() == [0, 0, 0, 0, 1, 1]
    assert x[:, 0, 0, 0].tolist() == [1, 3, 4, 5, 0, 2]
    assert len(nothing.contents()[1]) == 0


def test_a_class_with_fewer_images_than_its_room_keeps_what_it_has() -> None:
    memory = Memory(10)
    memory.replace(images(6), np.array([0, 0, 0, 0, 0, 1]), lambda _: np.eye(6, dtype=np.float32) + 1)
    assert memory.contents()[1].tolist() == [0, 0, 0, 0, 0, 1]


def test_no_room_for_each_class_is_an_error() -> None:
    with pytest.raises(UserError, match="memory of 3 images cannot hold one of each of 4 classes"):
        Memory(3).check_room(4)


def test_stored_and_restored_it_keeps_the_order_of_worth() -> None:
    features = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    memory, twin = Memory(9), Memory(9)
    memory.replace(images(20), np.repeat([5, 2], 10), lambda x: features[x[:, 0, 0, 0]])
    twin.restore(Stored(memory.arrays()))
    for one in (memory, twin):
        one.replace(np.concatenate([one.contents()[0], images(2)]), np.append(one.contents()[1], [7, 7]), lambda x: features[x[:, 0, 0, 0]])
    assert np.array_equal(twin.contents()[0], memory.contents()[0]) and np.array_equal(twin.contents()[1], memory.contents()[1])
    with pytest.raises(UserError, match="8 exemplars, for a memory of 3"):
        Memory(3).restore(Stored(memory.arrays()))
