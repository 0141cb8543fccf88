"""The search that is chosen: the recall that is told is the recall that is had, on vectors that it has not seen too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from repr.arrays import Floats, Ints
from repr.search import calibrated
from repr.search.calibrated import Probe, Tried, calibrate, is_fast_exact, rescored
from repr.search.cells import Cells, assign, train_centres
from repr.search.exact import neighbours, top_k
from repr.vectors import normalised

N, DIM = 6000, 16
Found = tuple[Tried, Cells | None, tuple[Tried, ...]]


def clustered(n: int, seed: int, noise: float = 0.3) -> Floats:
    centres = np.random.default_rng(9).normal(size=(300, DIM))
    generator = np.random.default_rng(seed)
    return normalised((centres[generator.integers(300, size=n)] + noise * generator.normal(size=(n, DIM))).astype(np.float32))


@pytest.fixture(scope="module")
def vectors() -> Floats:
    return clustered(N, 0)


@pytest.fixture(scope="module")
def ids() -> Ints:
    return np.arange(N) * 2 + 5


@pytest.fixture(scope="module")
def found(vectors: Floats, ids: Ints) -> Found:
    """A machine on which the exact search is slow, so that what is chosen hangs not on the clock."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibrated.Probe, "of", slow(calibrated.Probe.of))
        return calibrate(vectors, ids, recall=0.9, generator=np.random.default_rng(1))


def slow(of: Callable[[Floats, Ints, Ints], Probe]) -> Callable[[Floats, Ints, Ints], Probe]:
    """The same, its exact search told to answer one query a second."""

    def slower(vectors: Floats, ids: Ints, own: Ints) -> Probe:
        made = of(vectors, ids, own)
        return replace(made, exact=replace(made.exact, queries_a_second=1.0))

    return slower


def recall(cells: Cells, vectors: Floats, ids: Ints, queries: Floats) -> float:
    _, exact = top_k(queries, vectors, 10)
    _, answered = rescored(cells, lambda wanted: vectors[np.searchsorted(ids, wanted)], queries, 10)
    return float(np.mean([len(np.intersect1d(some, ids[best])) / 10 for some, best in zip(answered, exact, strict=True)]))


def test_the_choice_reaches_the_recall_on_its_own_vectors_and_on_others(found: Found, vectors: Floats, ids: Ints) -> None:
    chosen, cells, tried = found
    assert chosen in tried and chosen.kind != "exact" and cells is not None and len(cells) == N
    assert chosen.reaches(0.9) and chosen.recall_at_10 >= 0.9
    assert recall(cells, vectors, ids, clustered(500, 77)) == pytest.approx(chosen.recall_at_10, abs=0.05)


def test_all_settings_are_told_and_none_that_misses_more_is_taken(found: Found) -> None:
    chosen, _, tried = found
    assert tried[0].kind == "exact" and {one.kind for one in tried} == {"exact", "ivf", "ivf8"}
    assert {one.lists for one in tried} == {0, int(2 * N**0.5), int(4 * N**0.5)}
    reached = [one for one in tried if one.reaches(0.9)]
    assert chosen.queries_a_second >= max(one.queries_a_second for one in reached) / 1.5
    assert "recall@10" in chosen.words() and f"of {chosen.lists} lists" in chosen.words()


def test_the_recall_told_is_that_of_the_search_with_the_query_left_out(found: Found, vectors: Floats, ids: Ints) -> None:
    chosen, cells, _ = found
    assert cells is not None
    _, exact = neighbours(vectors, vectors, 10, np.arange(N))
    _, answered = rescored(cells, lambda wanted: vectors[np.searchsorted(ids, wanted)], vectors, 11)
    shares = [len((set(a.tolist()) - {int(own)}) & set(e.tolist())) / 10 for a, own, e in zip(answered, ids, ids[exact], strict=True)]
    assert np.mean(shares) == pytest.approx(chosen.recall_at_10, abs=4 * chosen.error + 1e-9)


def test_hits_of_eight_bits_have_the_cosines_of_the_vectors(vectors: Floats, ids: Ints) -> None:
    centres = train_centres(vectors, 10, np.random.default_rng(0))
    lists = assign(centres, vectors)
    cells = calibrated.filled(Cells.empty("ivf8", centres, vectors), vectors, ids, lists).probing(10)
    queries = clustered(30, 5)
    scores, answered = rescored(cells, lambda wanted: vectors[np.searchsorted(ids, wanted)], queries, 10)
    expected, exact = top_k(queries, vectors, 10)
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    assert np.mean(answered == ids[exact]) > 0.99
    short = rescored(cells.probing(1), lambda wanted: vectors[np.searchsorted(ids, wanted)], queries, N)[1]
    assert (short == -1).any() and (np.diff((short == -1).astype(int), axis=1) >= 0).all(), "what is missing stands at the end"


def test_where_all_lists_are_needed_the_exact_search_is_taken(vectors: Floats, ids: Ints, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrated.Tried, "reaches", lambda self, recall: self.kind == "exact")
    chosen, cells, _ = calibrate(vectors[:1000], ids[:1000], recall=0.95, generator=np.random.default_rng(0))
    assert chosen.kind == "exact" and cells is None


def test_the_exact_search_is_fast_up_to_some_size() -> None:
    assert is_fast_exact(90_000, 512) and not is_fast_exact(200_000, 512) and is_fast_exact(900, 10**6)
