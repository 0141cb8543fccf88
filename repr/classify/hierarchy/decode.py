"""From probabilities of every level to one path down the tree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from repr.arrays import Floats, Ints
from repr.classify.hierarchy.tree import Tree

ROWS = 4096  # rows scored at a time: 4096 × 688 paths of float64 are 23 MB
TINY = 1e-12  # probabilities below it count as this, so that no path is impossible


def decode(probabilities: Sequence[Floats], tree: Tree) -> Ints:
    """The likeliest path of each row: (n, levels) int64, coarse first, always consistent with the tree.

    probabilities: one array a level, coarse first, (n, classes of the level). A path's score is the sum of its classes'
    log probabilities over all levels, so a sure coarse level overrules an unsure fine one and the other way round.
    """
    assert len(probabilities) == tree.levels, f"{len(probabilities)} levels of probabilities, {tree.levels} in the tree"
    for level, (given, size) in enumerate(zip(probabilities, tree.sizes, strict=True)):
        assert given.shape[1] == size, f"level {level}: {given.shape[1]} columns for {size} classes"
    paths = tree.paths()
    chosen = np.empty(len(probabilities[0]), dtype=np.int64)
    for first in range(0, len(chosen), ROWS):
        part = slice(first, first + ROWS)
        logs = (np.log(np.maximum(given[part].astype(np.float64), TINY)) for given in probabilities)
        score = sum(log[:, paths[:, level]] for level, log in enumerate(logs))
        chosen[part] = np.argmax(score, axis=1)
    return paths[chosen]
