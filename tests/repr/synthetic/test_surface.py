"""Clouds are joined in order, point by point."""

from __future__ import annotations

import numpy as np

from repr.synthetic.surface import Cloud


def cloud(n: int, start: int) -> Cloud:
    place = np.arange(start, start + 3 * n, dtype=np.float32).reshape(3, n)
    return Cloud(place, -place, place + 100)


def test_joined_in_order() -> None:
    first, second, third = cloud(2, 0), cloud(3, 50), cloud(1, 90)
    whole = first.join(second, third)
    assert whole.place.shape == whole.normal.shape == whole.colour.shape == (3, 6)
    for part, columns in ((first, slice(0, 2)), (second, slice(2, 5)), (third, slice(5, 6))):
        for name in ("place", "normal", "colour"):
            np.testing.assert_array_equal(getattr(whole, name)[:, columns], getattr(part, name))


def test_alone_it_stays_as_it_is() -> None:
    first = cloud(4, 3)
    np.testing.assert_array_equal(first.join().place, first.place)
