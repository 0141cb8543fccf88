"""Doubled boxes, against every pair asked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from repr.checkout.proposal import Proposal, distinct
from repr.checkout.squares import proposals_of, squared
from tests.repr.checkout.boxes import iou, shared_part


def test_doubled_boxes_count_once() -> None:
    boxes = [
        Proposal((0, 0, 100, 100), 0.9),
        Proposal((5, 5, 100, 100), 0.8),
        Proposal((10, 10, 20, 20), 0.7),
        Proposal((90, 0, 100, 100), 0.6),
    ]
    assert [one.score for one in distinct(boxes)] == [0.9, 0.6]
    assert [one.score for one in distinct(boxes, inside=1.0)] == [0.9, 0.7, 0.6], "a small thing on a big one is another"
    assert distinct([]) == []


@pytest.mark.parametrize("seed", range(3))
def test_what_stays_is_apart_and_what_goes_has_a_better_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    proposals = [Proposal((*rng.uniform(0, 80, 2), *rng.uniform(5, 50, 2)), float(score)) for score in rng.permutation(60) / 60]
    kept = distinct(proposals, overlap=0.4, inside=0.8)
    same = [[iou(a.box, b.box) > 0.4 or shared_part(a.box, b.box) > 0.8 for b in kept] for a in proposals]
    for one, alike in zip(proposals, same, strict=True):
        better = [other for other, close in zip(kept, alike, strict=True) if close and other is not one]
        assert all(other.score < one.score for other in better) if one in kept else any(other.score > one.score for other in better)
    assert [one.score for one in kept] == sorted((one.score for one in kept), reverse=True)


def test_boxes_of_a_square_come_back_in_the_image() -> None:
    image = Image.new("RGB", (200, 100), (255, 0, 0))
    square, scale = squared(image, 64)
    assert square.shape == (64, 64, 3) and scale == 0.32 and (square[:32] == [255, 0, 0]).all() and (square[32:] == 114).all()
    boxes = np.array([[16, 8, 48, 24], [40, 0, 70, 32], [5, 5, 5.1, 9], [16, 8, 40, 22]], np.float32)
    scores = np.array([[0.1, 0.9], [0.6, 0.2], [0.8, 0.8], [0.7, 0.7]], np.float32)
    proposals = proposals_of(boxes, scores, ("a", "b"), scale, image.size)
    assert [(one.product, tuple(round(v) for v in one.box)) for one in proposals] == [("b", (50, 25, 100, 50)), ("a", (125, 0, 75, 100))], (
        "without the part of the first"
    )
    assert [one.product for one in proposals_of(boxes, scores[:, :1], (), scale, image.size, 0.65)] == [""], "one class has no name"


@pytest.mark.parametrize("size", [(1, 1), (20000, 1), (3, 5)])
def test_odd_sizes_have_a_square(size: tuple[int, int]) -> None:
    assert squared(Image.new("RGB", size), 32)[0].shape == (32, 32, 3)
