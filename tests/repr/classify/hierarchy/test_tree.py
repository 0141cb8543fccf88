"""The class tree: built from rows, asked for ancestors, held against labels."""

from __future__ import annotations

import numpy as np
import pytest

from repr.classify.hierarchy.tree import Tree
from repr.errors import UserError

# food (0): fruit (0): apple 0, pear 1; drinks (1): tea 2.  tools (1): saws (2): handsaw 3
ROWS = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 2], [1, 2, 3], [0, 0, 1]])


def test_of_rows() -> None:
    tree = Tree.of(ROWS)
    assert tree.sizes == (2, 3, 4) and tree.levels == 3
    assert [above.tolist() for above in tree.parents] == [[0, 0, 1], [0, 0, 1, 2]]
    assert tree.ancestors(2, 0).tolist() == [0, 0, 0, 1]
    assert tree.ancestors(2, 2).tolist() == [0, 1, 2, 3]
    assert tree.paths().tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 2], [1, 2, 3]]
    assert tree.descendants(0, 2).tolist() == [[True, True, True, False], [False, False, False, True]]


def test_rows_that_know_a_part_are_enough() -> None:
    """The parents of a level come from the rows that know both levels."""
    tree = Tree.of(np.array([[0, 0, -1], [1, 1, -1], [-1, 0, 0], [-1, 1, 1]]))
    assert [above.tolist() for above in tree.parents] == [[0, 1], [0, 1]]


def test_one_level() -> None:
    tree = Tree.of(np.array([[0], [2], [1]]))
    assert tree.sizes == (3,) and tree.paths().tolist() == [[0], [1], [2]]


@pytest.mark.parametrize(
    "rows, message",
    [
        ([[0, 0], [1, 0]], "class 0 of level 2 stands under several classes: 0, 1"),
        ([[0, 0], [0, 2]], "class 1 of level 2"),
        ([[0, -1], [1, -1]], "no row has a label on level 2"),
        ([[0, 0], [1, -1]], "class 1 of level 1 has no class below it"),
    ],
)
def test_no_tree(rows: list[list[int]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Tree.of(np.array(rows))


def test_labels_are_completed_upwards() -> None:
    tree = Tree.of(ROWS)
    assert tree.complete(np.array([[-1, -1, 3], [0, -1, 2], [-1, 1, -1], [1, -1, -1], [-1, -1, -1]])).tolist() == [
        *([1, 2, 3], [0, 1, 2], [0, 1, -1], [1, -1, -1], [-1, -1, -1])
    ]
    with pytest.raises(UserError, match=r"row 1: class 3 of level 3 is not below class 0 of level 2"):
        tree.complete(np.array([[0, 0, 0], [-1, 0, 3]]))
    with pytest.raises(UserError, match="row 0"):
        tree.complete(np.array([[1, -1, 0]]))
    with pytest.raises(UserError, match="a label outside 0 to 3 on level 3"):
        tree.complete(np.array([[0, 0, 4]]))
