"""Pieces abreast: in order, each by one thread, the same numbers for any number of threads; PyTorch keeps its own threads."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from repr import load
from repr.embedding.abreast import abreast


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """PyTorch with so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_results_come_in_the_order_of_the_items(threads: int) -> None:
    assert abreast(lambda item: item**2, range(20)) == [item**2 for item in range(20)]
    assert abreast(str, []) == []


def test_each_has_one_thread_and_the_others_keep_theirs(threads: int) -> None:
    assert set(abreast(lambda _: torch.get_num_threads(), range(2 * threads))) == {1}
    assert torch.get_num_threads() == threads
    later: list[int] = []
    other = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert later == [threads]


def test_so_many_run_at_a_time(threads: int) -> None:
    meeting = threading.Barrier(threads, timeout=20)
    abreast(lambda _: meeting.wait(), range(threads))  # a barrier that fewer cannot pass


def test_an_error_of_one_is_raised(threads: int) -> None:
    with pytest.raises(ZeroDivisionError):
        abreast(lambda item: 1 / item, [1, 0, 1])


@pytest.mark.parametrize("crops", [(1.0,), (1.0, 0.5)])
def test_vectors_are_the_same_to_the_bit_for_any_number_of_threads(crops: tuple[float, ...]) -> None:
    images = list(np.random.default_rng(0).integers(0, 256, (9, 80, 80, 3), np.uint8))
    before, vectors = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            vectors.append(load("imagenet", size=64, crops=crops).images(images).vectors)
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(vectors[0], vectors[1]) and np.array_equal(vectors[0], vectors[2])


def _square(item: int) -> int:
    return item**2


def _in_child(to: multiprocessing.connection.Connection) -> None:
    to.send(abreast(_square, range(5)))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system")
def test_a_forked_child_does_not_wait_for_threads_that_it_has_not() -> None:
    abreast(_square, range(5))
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=_in_child, args=(theirs,))
    child.start()
    assert ours.poll(20), "it hangs"
    assert ours.recv() == [0, 1, 4, 9, 16]
    child.join(20)
