"""Order, balance and reading ahead of batches."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from repr.errors import UserError
from repr.training.data import Batches, epoch_order, fit_batch, stream


@given(n=st.integers(1, 60), seed=st.integers(0, 5), epoch=st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_an_epoch_has_every_image_once(n: int, seed: int, epoch: int) -> None:
    labels = np.zeros(n, np.int64)
    assert sorted(epoch_order(labels, seed, epoch, balanced=False)) == list(range(n))


@given(labels=st.lists(st.integers(0, 4), min_size=1, max_size=60), seed=st.integers(0, 5))
@settings(max_examples=40, deadline=None)
def test_balanced_classes_and_turns(labels: list[int], seed: int) -> None:
    """As many draws as images; classes equally often, ± 1; within a class no image twice before each came once, ± 1."""
    array = np.array(labels)
    order = epoch_order(array, seed, 0, balanced=True)
    assert len(order) == len(labels)
    drawn = Counter(array[order].tolist())
    counts = [drawn[label] for label in set(labels)]
    assert max(counts) - min(counts) <= 1
    for label in set(labels):
        times = Counter(order[array[order] == label].tolist())
        seen = [times[int(i)] for i in np.flatnonzero(array == label)]
        assert max(seen) - min(seen) <= 1


def test_epochs_and_seeds_differ() -> None:
    labels = np.zeros(100, np.int64)
    orders = [tuple(epoch_order(labels, seed, epoch, balanced=False)) for seed in (0, 1) for epoch in (0, 1)]
    assert len(set(orders)) == 4
    assert len({stream(seed, purpose, step) for seed in range(3) for purpose in range(3) for step in range(3)}) == 27


def shelf(n: int) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Images whose every pixel is their number."""
    pixels = np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], (n, 2, 2, 3)).copy()
    return pixels, np.arange(n, dtype=np.int64)


def test_pixels_and_labels_stay_together() -> None:
    pixels, labels = shelf(10)
    batches = list(Batches(pixels, labels, batch_size=4, epochs=3, seed=0))
    assert [batch.step for batch in batches] == list(range(6))  # two whole batches an epoch
    for batch in batches:
        assert batch.pixels[:, 0, 0, 0].tolist() == batch.labels.tolist()
    for epoch in range(3):
        seen = torch.cat([batch.labels for batch in batches[2 * epoch : 2 * epoch + 2]])
        assert len(set(seen.tolist())) == 8


def test_starting_late_gives_the_same_batches() -> None:
    pixels, labels = shelf(20)
    whole = [batch.labels.tolist() for batch in Batches(pixels, labels, batch_size=4, epochs=4, seed=1)]
    late = [batch.labels.tolist() for batch in Batches(pixels, labels, batch_size=4, epochs=4, seed=1, start=7)]
    assert late == whole[7:]


def test_ranks_share_each_batch() -> None:
    pixels, labels = shelf(12)
    whole = [batch.labels.tolist() for batch in Batches(pixels, labels, batch_size=4, epochs=1, seed=2)]
    parts = [[b.labels.tolist() for b in Batches(pixels, labels, batch_size=4, epochs=1, seed=2, rank=r, world=2)] for r in (0, 1)]
    assert [a + b for a, b in zip(*parts, strict=True)] == whole


def test_positions_and_tensors() -> None:
    pixels, _ = shelf(10)
    positions = np.array([9, 3, 5, 1])
    for source in (pixels, torch.from_numpy(pixels)):
        batches = Batches(source, positions.copy(), positions=positions, batch_size=4, epochs=1, seed=0)
        (batch,) = batches
        assert batch.pixels[:, 0, 0, 0].tolist() == batch.labels.tolist()


def test_an_error_while_reading_reaches_the_loop() -> None:
    pixels, labels = shelf(8)
    batches = Batches(pixels[:4], labels, positions=np.arange(8), batch_size=4, epochs=2, seed=0)
    with pytest.raises(IndexError):
        list(batches)


def test_leaving_early_ends_the_thread() -> None:
    import threading

    pixels, labels = shelf(8)
    iterator = iter(Batches(pixels, labels, batch_size=2, epochs=50, seed=0))
    next(iterator)
    iterator.close()  # type: ignore[attr-defined]
    assert not any(thread.name == "batches" for thread in threading.enumerate())


@pytest.mark.parametrize(("n", "batch", "devices", "used"), [(100, 64, 1, 64), (10, 64, 1, 10), (10, 64, 3, 9), (100, 7, 2, 6)])
def test_the_batch_that_is_used(n: int, batch: int, devices: int, used: int) -> None:
    assert fit_batch(n, batch, devices) == used


def test_too_small_batches_are_refused() -> None:
    with pytest.raises(UserError, match="at least two images a batch"):
        fit_batch(100, 1, 1)
    with pytest.raises(UserError, match="at least two images a batch"):
        fit_batch(3, 64, 2)
    with pytest.raises(UserError, match="no training images"):
        fit_batch(0, 64, 1)
