"""Lists of vectors over plain arrays: with all probed they answer as the exact search, from memory and from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from repr.arrays import Floats
from repr.errors import UserError
from repr.search.cells import KINDS, Cells, Kind, assign, train_centres
from repr.search.exact import top_k
from repr.vectors import normalised


def clustered(n: int, dim: int, seed: int) -> Floats:
    """(n, dim) unit vectors around 20 centres."""
    generator = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(20, dim))
    return normalised((centres[generator.integers(20, size=n)] + 0.3 * generator.normal(size=(n, dim))).astype(np.float32))


def made(kind: Kind, vectors: Floats, nlist: int = 16) -> Cells:
    """Filled in two parts; ids are 3 times the positions, plus 1."""
    centres = train_centres(vectors, nlist, np.random.default_rng(0))
    cells, lists, ids = Cells.empty(kind, centres, vectors), assign(centres, vectors), 3 * np.arange(len(vectors)) + 1
    cells.fill(vectors[:700], ids[:700], lists[:700])
    cells.fill(vectors[700:], ids[700:], lists[700:])
    return cells


@pytest.mark.parametrize("kind", KINDS)
def test_with_all_lists_probed_the_answer_is_the_exact_one(kind: Kind, tmp_path: Path) -> None:
    vectors, queries = clustered(1500, 8, 0), clustered(40, 8, 1)
    cells = made(kind, vectors)
    assert len(cells) == 1500
    expected, exact = top_k(queries, vectors, 5)
    cells.write(tmp_path / "cells")
    for searched in (cells, Cells.read(tmp_path / "cells", kind, 1), Cells.read(tmp_path / "cells", kind, 1, mapped=False)):
        scores, ids = searched.probing(16).search(queries, 5)
        np.testing.assert_allclose(scores, expected, atol=1e-6 if kind == "ivf" else 0.03)
        if kind == "ivf":
            np.testing.assert_array_equal(ids, 3 * exact + 1)
        few = searched.probing(1).search(queries, 5)[1]
        assert np.mean(few == ids) < 1, "one list holds not all of the answers"


def test_what_was_read_into_memory_takes_in_more(tmp_path: Path) -> None:
    vectors, new = clustered(1500, 8, 0), clustered(10, 8, 2)
    made("ivf", vectors).write(tmp_path / "cells")
    cells = Cells.read(tmp_path / "cells", "ivf", 16, mapped=False)
    cells.fill(new, np.arange(10_000, 10_010), assign(cells.centres(), new))
    np.testing.assert_array_equal(cells.search(new, 1)[1][:, 0], np.arange(10_000, 10_010))


def test_lists_are_those_of_the_nearest_centres_and_one_seed_gives_one_training() -> None:
    vectors = clustered(1200, 8, 0)
    one, two, other = (train_centres(vectors, 12, np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)
    np.testing.assert_array_equal(assign(one, vectors), (vectors @ one.T).argmax(axis=1))


@pytest.mark.parametrize("content", [None, b"", b"something else"])
def test_a_broken_file_is_told(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "cells").write_bytes(content)
    with pytest.raises(UserError, match="not readable lists"):
        Cells.read(tmp_path / "cells", "ivf", 1)
