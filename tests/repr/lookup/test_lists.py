"""The calibrated search beside the matrix: nearly the exact answers, extended by additions, exact where its files are torn."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from repr.arrays import Floats
from repr.lookup.cache import Matrix
from repr.lookup.lists import CELLS, STATE, Calibrated, load, tune
from repr.lookup.matches import hits
from repr.search import calibrated
from repr.search.calibrated import Tried
from repr.vectors import normalised

N, DIM = 3000, 16


@pytest.fixture(autouse=True)
def _lists_from_a_thousand_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a thousand were many, and the exact search slow."""
    monkeypatch.setattr(calibrated, "EXACT", 1000 * DIM)
    monkeypatch.setattr(calibrated, "WORTH", 0.0)
    monkeypatch.setattr(calibrated, "_cheaper", lambda one, other: other.kind == "exact")


def clustered(n: int, seed: int) -> Floats:
    generator, centres = np.random.default_rng(seed), np.random.default_rng(9).normal(size=(60, DIM))
    return normalised((centres[generator.integers(60, size=n)] + 0.3 * generator.normal(size=(n, DIM))).astype(np.float32))


def matrix_of(vectors: Floats, *, first: int = 1, revision: int = 1) -> Matrix:
    ids = np.arange(first, first + len(vectors))
    return Matrix(ids, ids % 500, (vectors,), np.ones(len(ids), bool), revision)


def tuned(folder: Path, matrix: Matrix, *, anew: bool = True) -> Calibrated | None:
    tune(folder, matrix, "me", 0.9, anew=anew)
    return load(folder, matrix, "me")


def recall(matrix: Matrix, found: Calibrated | None, queries: Floats) -> float:
    assert found is not None and found.cells is not None
    exact, other = (
        hits(matrix, queries, 10, per_image=True),
        hits(matrix, queries, 10, per_image=True, search=partial(found.search, matrix)),
    )
    return float(np.mean([len(np.intersect1d(e[:, 0], f[:, 0])) / 10 for e, f in zip(exact, other, strict=True)]))


def test_it_finds_what_it_says(tmp_path: Path) -> None:
    matrix = matrix_of(clustered(N, 0))
    found = tuned(tmp_path, matrix)
    assert found is not None and found.state.chosen.recall_at_10 >= 0.9
    assert recall(matrix, found, clustered(200, 1)) > 0.87
    assert load(tmp_path, matrix, "me", before=found) is found
    assert load(tmp_path, matrix, "another") is None, "files of another index are not taken"


def test_few_images_and_a_recall_of_one_are_searched_exactly(tmp_path: Path) -> None:
    matrix = matrix_of(clustered(N, 0))
    tuned(tmp_path, matrix)
    tune(tmp_path, matrix, "me", 1.0, anew=True)
    assert not list(tmp_path.glob("search.*")) and tuned(tmp_path, matrix_of(clustered(1000, 0))) is None


def test_an_addition_is_found_at_once_and_folded_in_when_they_are_many(tmp_path: Path) -> None:
    vectors = clustered(N + 400, 0)
    first, content = tuned(tmp_path, matrix_of(vectors[:N])), (tmp_path / CELLS).read_bytes()
    for more, folded in ((1, False), (100, False), (400, True)):
        matrix = matrix_of(vectors[: N + more], revision=2)
        assert (
            first is not None
            and hits(matrix, vectors[N + more - 1 :][:1], 1, search=partial(first.search, matrix))[0][0, 0] == N + more - 1
        )
        after = tuned(tmp_path, matrix, anew=False)
        assert after is not None and (after.covered(matrix) == len(matrix)) == folded and after.state.trained == N
        assert ((tmp_path / CELLS).read_bytes() != content) == folded
        assert recall(matrix, after, clustered(200, 1)) > 0.85


def test_what_is_outgrown_is_said_and_chosen_anew_where_it_may(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    vectors = clustered(3 * N, 0)
    tuned(tmp_path, matrix_of(vectors[:N]))
    matrix = matrix_of(vectors)
    with caplog.at_level(logging.INFO):
        found = tuned(tmp_path, matrix, anew=False)
    assert "repr index compact" in caplog.text and found is not None and found.outgrown(matrix) and found.state.trained == N
    again = tuned(tmp_path, matrix)
    assert again is not None and again.state.trained == 3 * N and not again.outgrown(matrix)
    matrix.alive[: 2 * N] = False
    assert again.outgrown(matrix)


def test_a_recall_that_a_fold_cannot_keep_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors = clustered(N + 400, 0)
    tuned(tmp_path, matrix_of(vectors[:N]))
    monkeypatch.setattr(Tried, "reaches", lambda self, recall: False)
    with caplog.at_level(logging.INFO):
        after = tuned(tmp_path, matrix_of(vectors), anew=False)
    assert "misses more than it may" in caplog.text and after is not None and after.state.last == N


@pytest.mark.parametrize("name", [CELLS, STATE])
@pytest.mark.parametrize("how", ["gone", "empty", "altered", "cut"])
def test_torn_files_are_not_used_and_made_again(tmp_path: Path, name: str, how: str) -> None:
    matrix, file = matrix_of(clustered(N, 2)), tmp_path / name
    tuned(tmp_path, matrix)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes({"empty": b"", "altered": b"{" + bytes(content[1:]), "cut": bytes(content[:-7])}[how])
    if name == STATE and how == "altered":
        file.write_bytes(b"[1]")
    assert load(tmp_path, matrix, "me") is None
    assert recall(matrix, tuned(tmp_path, matrix, anew=True), clustered(100, 1)) > 0.85


def test_an_older_store_than_it_was_made_of_is_noticed(tmp_path: Path) -> None:
    tuned(tmp_path, matrix_of(clustered(N, 0), revision=5))
    assert load(tmp_path, matrix_of(clustered(N, 1), revision=4), "me") is None


def test_removed_and_swept_images_are_passed_over_and_the_others_found(tmp_path: Path) -> None:
    vectors = clustered(N, 3)
    whole = matrix_of(vectors)
    found = tuned(tmp_path, whole)
    assert found is not None
    masked = Matrix(whole.ids, whole.products, whole.pieces, whole.ids != 6, 2)
    keep = whole.ids % 10 != 6
    swept = Matrix(whole.ids[keep], whole.products[keep], (vectors[keep],), np.ones(keep.sum(), bool), 3)
    for matrix in (masked, swept):
        rows = hits(matrix, vectors[5:6], 20, per_image=True, search=partial(found.search, matrix))[0][:, 0].astype(int)
        assert 6 not in matrix.ids[rows] and len(rows) == 20
        seventh = hits(matrix, vectors[7:8], 1, search=partial(found.search, matrix))[0]
        assert matrix.ids[int(seventh[0, 0])] == 8 and seventh[0, 1] > 0.9999


def test_who_gets_too_few_products_from_the_lists_is_answered_exactly(tmp_path: Path) -> None:
    vectors = clustered(N, 4)
    ids = np.arange(1, N + 1)
    matrix = Matrix(ids, np.where(ids < N - 5, 1, ids), (vectors,), np.ones(N, bool), 1)  # nearly all of one product
    found = tuned(tmp_path, matrix)
    assert found is not None
    for one, exact in zip(hits(matrix, vectors[:20], 7, search=partial(found.search, matrix)), hits(matrix, vectors[:20], 7), strict=True):
        np.testing.assert_array_equal(one, exact)
