"""Exact search against a plain matrix product, and what it says when FAISS is not as it should be."""

from __future__ import annotations

from importlib import metadata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repr.errors import UserError
from repr.search import exact
from repr.search.exact import flat, load_faiss, neighbours, pieces, top_k
from repr.vectors import normalised


def drawn(n: int, seed: int, dim: int = 6) -> np.ndarray:  # type: ignore[type-arg]
    return normalised(np.random.default_rng(seed).normal(size=(n, dim)))


@given(st.integers(0, 30), st.integers(1, 40), st.integers(1, 50), st.integers(0, 5))
def test_the_best_are_those_of_the_whole_matrix(q: int, n: int, k: int, seed: int) -> None:
    queries, gallery = drawn(q, seed), drawn(n, seed + 100)
    scores, positions = top_k(queries, gallery, k)
    assert scores.shape == positions.shape == (q, min(k, n))
    similarity = queries @ gallery.T
    np.testing.assert_allclose(scores, -np.sort(-similarity, axis=1)[:, :k], atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(similarity, positions, axis=1), scores, atol=1e-6)


@given(st.integers(2, 30), st.integers(1, 40), st.integers(0, 5))
def test_a_query_is_left_out_of_its_own_results(n: int, k: int, seed: int) -> None:
    gallery = drawn(n, seed)
    own = np.arange(n)[::2]
    scores, positions = neighbours(gallery[own], gallery, k, own)
    assert positions.shape == (len(own), min(k, n - 1))
    assert not (positions == own[:, None]).any()
    similarity = gallery[own] @ gallery.T
    similarity[np.arange(len(own)), own] = -2
    np.testing.assert_allclose(scores, -np.sort(-similarity, axis=1)[:, : min(k, n - 1)], atol=1e-6)


def test_a_twin_of_the_query_stays_a_neighbour() -> None:
    gallery = np.repeat(drawn(3, 0), 2, axis=0)
    _, positions = neighbours(gallery, gallery, 1, np.arange(6))
    assert positions[:, 0].tolist() == [1, 0, 3, 2, 5, 4]


def test_more_twins_than_places_still_give_k_results() -> None:
    gallery = np.repeat(drawn(1, 0), 9, axis=0)
    _, positions = neighbours(gallery, gallery, 2, np.arange(9))
    assert positions.shape == (9, 2) and all(len(set(row)) == 2 for row in positions.tolist())


def test_apart_sets_are_searched_as_they_are() -> None:
    for one, other in zip(neighbours(drawn(3, 0), drawn(5, 1), 2), top_k(drawn(3, 0), drawn(5, 1), 2), strict=True):
        np.testing.assert_array_equal(one, other)


def test_queries_that_are_not_finite_are_told() -> None:
    queries = drawn(3, 0)
    queries[1, 0] = np.nan
    with pytest.raises(UserError, match="queries: 1 of 3 embeddings are not finite"):
        top_k(queries, drawn(5, 1), 2)


def test_a_flat_engine_answers_as_top_k() -> None:
    gallery, queries = drawn(20, 0), drawn(4, 1)
    engine = flat(6)
    engine.add(gallery[:15])
    engine.add(gallery[15:])
    assert engine.ntotal == 20
    np.testing.assert_array_equal(engine.search(queries, 3)[1], top_k(queries, gallery, 3)[1])


@given(st.integers(0, 10**6), st.integers(0, 10**5))
def test_pieces_hold_every_query_once_and_stay_small(n: int, k: int) -> None:
    slices = list(pieces(n, k)) if n * max(k, 1) < 10**9 else []
    if slices:
        assert (slices[0].start, slices[-1].stop) == (0, n)
        assert all(a.stop == b.start for a, b in zip(slices, slices[1:], strict=False))
        assert all((part.stop - part.start) * 12 * k <= exact.RESULT_BYTES or part.stop - part.start == 1 for part in slices)


@pytest.fixture
def _asked_anew() -> object:
    load_faiss.cache_clear()
    yield
    load_faiss.cache_clear()


@pytest.mark.usefixtures("_asked_anew")
@pytest.mark.parametrize(
    ("wheels", "loads", "message"),
    [
        (("faiss-cpu", "faiss-gpu"), True, "both installed"),
        (("faiss-gpu",), False, "faiss-gpu is installed but does not load .no libcudart"),
        ((), False, "FAISS is not installed"),
    ],
)
def test_wheels_that_are_missing_or_in_each_other_s_way(
    monkeypatch: pytest.MonkeyPatch, wheels: tuple[str, ...], loads: bool, message: str
) -> None:
    def distribution(name: str) -> None:
        if name not in wheels:
            raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", distribution)
    if not loads:
        monkeypatch.setattr(exact, "faiss", None)
        monkeypatch.setattr(exact, "MISSING", "no libcudart")
    with pytest.raises(UserError, match=message) as raised:
        load_faiss()
    assert "nstall" in raised.value.remedy
