"""One scene: nothing is covered by more than the bound, and masks, boxes and outlines are of the same pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from repr.arrays import Pixels
from rpc_transfer.checkout.compose import Look, Thing, compose


def disc(side: int) -> Pixels:
    image = np.zeros((side, side, 4), np.uint8)
    cv2.circle(image, (side // 2, side // 2), side // 2 - 1, (200, 60, 60, 255), -1)
    return image


@pytest.mark.parametrize("bound", [0.0, 0.25, 0.6])
def test_nothing_is_covered_by_more_than_the_bound(bound: float) -> None:
    """The last product of a scene is whole; with the same generator, the first n products of a longer scene are those of a shorter one."""
    ground, look, discs = np.full((160, 160, 3), 180, np.uint8), Look(160, 1.0, bound), [(n, disc(40)) for n in range(10)]
    for seed in range(3):
        image, found = compose(discs, ground, look, np.random.default_rng(seed))
        assert image.shape == (160, 160, 3) and [one.category for one in found] == list(range(10))
        for n, thing in enumerate(found):
            whole = compose(discs[: n + 1], ground, look, np.random.default_rng(seed))[1][n]
            assert thing.mask.sum() >= (1 - bound) * whole.mask.sum()


def test_the_same_generator_gives_the_same_scene() -> None:
    ground = np.full((100, 100, 3), 180, np.uint8)
    first, again = (compose([(1, disc(30))] * 4, ground, Look(100, 1.0, 0.3), np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first[0], again[0]) and [one.box for one in first[1]] == [one.box for one in again[1]]
    assert (ground == 180).all(), "the background is another scene's too"


def test_a_mask_knows_its_box_and_outline() -> None:
    mask = np.ones((4, 6), bool)
    thing = Thing(3, mask, 10, 20)
    assert thing.box == (10, 20, 6, 4)
    (outline,) = thing.polygons()
    assert {tuple(point) for point in np.reshape(outline, (-1, 2)).tolist()} == {(10, 20), (16, 20), (16, 24), (10, 24)}
    column, row = thing.point()
    assert mask[int(row - 20), int(column - 10)]
