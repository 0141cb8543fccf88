"""Inverted lists over plain arrays: the recall that is told is the recall that is had, and lists filled by hand answer as FAISS's own."""

from __future__ import annotations

import numpy as np
import pytest

from repr.errors import UserError
from repr.search.exact import neighbours, top_k
from repr.search.ivf import POINTS_PER_LIST, WANTED_RECALL, assign, check_enough, fill, train
from repr.vectors import normalised


def clustered(n: int, dim: int, seed: int) -> np.ndarray:  # type: ignore[type-arg]
    """(n, dim) unit vectors around 20 centres."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(20, dim))
    return normalised(centres[generator.integers(20, size=n)] + 0.3 * generator.normal(size=(n, dim)))


def test_the_recall_told_is_that_of_the_search() -> None:
    vectors = clustered(2000, 12, 0)
    engine, lists = train(vectors, np.random.default_rng(1), smallest=1000, queries=2000)
    assert engine.ntotal == 0 and engine.nprobe == lists.nprobe
    assert lists.nlist == 2000 // POINTS_PER_LIST and 1 <= lists.nprobe <= lists.nlist and lists.recall_at_10 >= WANTED_RECALL
    fill(engine, vectors, assign(engine, vectors))
    _, positions = engine.search(vectors, 11)
    _, exact = neighbours(vectors, vectors, 10, np.arange(2000))
    shares = [len(set(some) & set(best)) / 10 for some, best in zip(positions.tolist(), exact.tolist(), strict=True)]
    assert np.mean(shares) == pytest.approx(lists.recall_at_10)


def test_filled_in_parts_they_know_vectors_by_the_order_of_addition() -> None:
    vectors = clustered(1500, 8, 0)
    engine, lists = train(vectors, np.random.default_rng(0), smallest=1000)
    numbers = assign(engine, vectors)
    assert numbers.shape == (1500,) and numbers.dtype == np.int64 and 0 <= numbers.min() and numbers.max() < lists.nlist
    fill(engine, vectors[:700], numbers[:700])
    fill(engine, vectors[700:], numbers[700:])
    assert engine.ntotal == 1500
    engine.nprobe = lists.nlist  # all lists: the exact answer
    scores, positions = engine.search(vectors[::50], 5)
    expected, exact = top_k(vectors[::50], vectors, 5)
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    np.testing.assert_array_equal(positions[:, 0], np.arange(0, 1500, 50))
    assert np.mean(positions == exact) > 0.99


def test_one_seed_gives_one_training() -> None:
    vectors = clustered(1200, 8, 0)
    (one, first), (two, second), (other, _) = (train(vectors, np.random.default_rng(seed), smallest=1000) for seed in (3, 3, 4))
    assert first == second
    np.testing.assert_array_equal(assign(one, vectors), assign(two, vectors))
    assert not np.array_equal(assign(one, vectors), assign(other, vectors))


def test_too_few_vectors_are_refused_with_the_argument() -> None:
    check_enough(10_000)
    with pytest.raises(UserError, match="9999 vectors are too few") as raised:
        check_enough(9999)
    assert raised.value.argument == "ivf"
    with pytest.raises(UserError, match="500 vectors are too few for inverted lists .from 1000"):
        train(clustered(500, 8, 0), np.random.default_rng(0), smallest=1000)
