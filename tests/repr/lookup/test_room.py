"""Rows that come one after the other, against a plain list; what was taken before stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repr.lookup import room as module
from repr.lookup.room import Column, Room, extended


@settings(deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=12))
def test_any_order_of_additions_to_old_and_new_columns(steps: list[tuple[int, bool]]) -> None:
    held: list[tuple[Room | None, tuple[Column, ...], list[int]]] = [(None, (np.arange(3), np.ones(3, bool)), list(range(3)))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LEAST", 2)
        for turn, (more, to_old) in enumerate(steps):
            room, columns, plain = held[0 if to_old else -1]
            new = list(range(100 * turn, 100 * turn + more))
            room, columns = extended(room, columns, (np.array(new, np.int64), np.zeros(more, bool)))
            held.append((room, columns, plain + new))
    for _, (numbers, flags), plain in held:
        assert numbers.tolist() == plain and flags.tolist() == [n < 3 for n in range(len(plain))] and len(flags) == len(plain)


def test_what_fits_is_not_copied() -> None:
    room, (first,) = extended(None, (np.arange(3),), (np.arange(1),))
    same, (second,) = extended(room, (first,), (np.array([7]),))
    assert same is room and np.shares_memory(first, second) and second.tolist() == [0, 1, 2, 0, 7]
    other, (third,) = extended(room, (first,), (np.array([8]),))
    assert other is not room and third.tolist() == [0, 1, 2, 0, 8] and second[-1] == 7, "others stand behind the old columns by now"
