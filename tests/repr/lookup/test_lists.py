"""Inverted lists beside the matrix: nearly the exact answers, extended by additions, made again when they are torn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from repr.lookup.cache import Matrix
from repr.lookup.lists import CENTRES, LISTS, load
from repr.lookup.matches import hits
from repr.vectors import normalised

N = 3000


def clustered(n: int, generator: np.random.Generator) -> np.ndarray:
    centres = np.random.default_rng(9).normal(size=(20, 16))
    return normalised(centres[generator.integers(20, size=n)] + 0.3 * generator.normal(size=(n, 16)))


def matrix_of(vectors: np.ndarray) -> Matrix:
    ids = np.arange(1, len(vectors) + 1)
    return Matrix(ids, ids, (vectors,), np.ones(len(ids), bool), 1)


def recall(matrix: Matrix, queries: np.ndarray, folder: Path) -> float:
    made = load(folder, matrix, 0, smallest=1000)
    assert made is not None
    exact, found = hits(matrix, queries, 10), hits(matrix, queries, 10, search=made.search)
    return float(np.mean([len(np.intersect1d(e[:, 0], f[:, 0])) / 10 for e, f in zip(exact, found, strict=True)]))


def test_lists_agree_with_the_exact_search_as_often_as_they_say(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    matrix, queries = matrix_of(clustered(N, generator)), clustered(200, generator)
    made = load(tmp_path, matrix, 0, smallest=1000)
    assert made is not None and made.numbers.recall_at_10 >= 0.99 and 1 <= made.numbers.nprobe <= made.numbers.nlist
    assert recall(matrix, queries, tmp_path) > 0.95
    assert load(tmp_path, matrix_of(clustered(100, generator)), 0, smallest=1000) is None


def test_an_addition_extends_the_lists_and_more_of_it_trains_them_anew(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    vectors, queries = clustered(3 * N, generator), clustered(50, generator)
    first = load(tmp_path, matrix_of(vectors[:N]), 0, smallest=1000)
    centres = (tmp_path / CENTRES).read_bytes()
    assert recall(matrix_of(vectors[: N + 50]), queries, tmp_path) > 0.95 and (tmp_path / CENTRES).read_bytes() == centres
    grown = load(tmp_path, matrix_of(vectors[: N + 50]), 0, before=first, smallest=1000)
    assert grown is not None and grown.engine.ntotal == N + 50
    assert hits(matrix_of(vectors[: N + 50]), vectors[N : N + 1], 1, search=grown.search)[0][0, 0] == N
    assert recall(matrix_of(vectors), queries, tmp_path) > 0.95 and (tmp_path / CENTRES).read_bytes() != centres


@pytest.mark.parametrize("name", [CENTRES, LISTS])
@pytest.mark.parametrize("content", [None, b"", b"something else"])
def test_torn_files_are_made_again(tmp_path: Path, name: str, content: bytes | None) -> None:
    generator = np.random.default_rng(2)
    matrix, queries = matrix_of(clustered(N, generator)), clustered(50, generator)
    load(tmp_path, matrix, 0, smallest=1000)
    whole = (tmp_path / name).stat().st_size
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert recall(matrix, queries, tmp_path) > 0.95
    assert (tmp_path / name).stat().st_size == whole


def test_removed_rows_are_passed_over(tmp_path: Path) -> None:
    matrix = matrix_of(clustered(N, np.random.default_rng(3)))
    made = load(tmp_path, matrix, 0, smallest=1000)
    assert made is not None
    matrix.alive[5] = False
    assert 5 not in hits(matrix, matrix.pieces[0][5:6], N, search=made.search)[0][:, 0]
