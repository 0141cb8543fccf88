"""Decoding always gives a path of the tree, the likeliest one."""

from __future__ import annotations

import numpy as np

from repr.classify.hierarchy import decode as module
from repr.classify.hierarchy.decode import decode
from repr.classify.hierarchy.tree import Tree

TREE = Tree((np.array([0, 0, 1]), np.array([0, 0, 1, 2])))


def test_the_likeliest_path_by_brute_force(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(module, "ROWS", 7)  # so that chunks have seams
    rng = np.random.default_rng(0)
    given = [rng.dirichlet(np.ones(size), 50) for size in TREE.sizes]
    for row, found in enumerate(decode(given, TREE)):
        best = max(TREE.paths().tolist(), key=lambda path: np.prod([given[level][row, code] for level, code in enumerate(path)]))
        assert found.tolist() == best


def test_a_sure_level_overrules() -> None:
    coarse, middle = np.array([[0.01, 0.99]]), np.array([[0.34, 0.33, 0.33]])
    assert decode([coarse, middle, np.array([[0.4, 0.3, 0.2, 0.1]])], TREE).tolist() == [[1, 2, 3]]
    assert decode([np.array([[1.0, 0.0]]), middle, np.array([[0.0, 0.0, 0.0, 1.0]])], TREE).shape == (1, 3)  # zeros are no trouble
    assert decode([np.empty((0, size)) for size in TREE.sizes], TREE).shape == (0, 3)
