"""From hits of a search to products: each once, by its best image."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from repr.lookup.matches import Match, best, matches_of
from repr.lookup.segments import entries


@given(st.lists(st.integers(0, 4), min_size=1, max_size=20), st.integers(1, 6), st.integers(0, 3), st.randoms())
def test_each_product_comes_once_in_the_order_of_the_search(codes: list[int], wanted: int, missing: int, chance: object) -> None:
    order = list(range(len(codes)))
    chance.shuffle(order)  # type: ignore[attr-defined]
    positions = np.array(order + [-1] * missing, np.int64)
    scores = np.linspace(1, 0, len(positions), dtype=np.float32)
    hits, ended = best(scores, positions, np.array(codes, np.int64), wanted)
    expected: list[int] = []
    for position in order:
        if codes[position] not in [codes[other] for other in expected]:
            expected.append(position)
    assert hits[:, 0].astype(int).tolist() == expected[:wanted]
    assert ended == (missing > 0)
    assert (np.diff(hits[:, 1]) <= 0).all()


def test_without_products_all_images_come() -> None:
    hits, ended = best(np.array([3, 2, 1], np.float32), np.array([5, 7, 6]), None, 2)
    assert hits.tolist() == [[5, 3], [7, 2]] and not ended


def test_matches_say_what_stands_at_a_position() -> None:
    table = entries(0, ["a", "b"], ["a.jpg", "b.jpg"], boxes=[None, (1, 2, 3, 4)], names=[None, "B"], barcodes=["12", None])
    assert matches_of(table, np.array([[1, 0.5], [0, 0.25]])) == [
        Match("b", 0.5, "b.jpg", "B", None, (1, 2, 3, 4)),
        Match("a", 0.25, "a.jpg", None, "12", None),
    ]
    assert matches_of(table, np.empty((0, 2))) == []
