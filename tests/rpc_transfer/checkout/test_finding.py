"""How well boxes find products, against a slow loop over all thresholds, and overlaps against torchvision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import box_iou

from repr.checkout.proposal import Proposal
from rpc_transfer.checkout.finding import FIT, Finding, finding, ious

corners = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(1, 20), st.integers(1, 20)).map(
    lambda box: (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
)
scenes_of = st.lists(
    st.tuples(st.lists(st.tuples(corners, st.sampled_from([0.1, 0.3, 0.5, 0.9])), max_size=6), st.lists(corners, max_size=4)), max_size=4
)


@given(st.lists(corners, min_size=1, max_size=8))
def test_overlaps_are_torchvisions(boxes: list[tuple[float, float, float, float]]) -> None:
    array = np.array(boxes)
    theirs = torch.from_numpy(np.concatenate([array[:, :2], array[:, :2] + array[:, 2:]], axis=1))
    for row, expected in zip(array, box_iou(theirs, theirs).numpy(), strict=True):
        np.testing.assert_allclose(ious(row, array), expected, atol=1e-12)


def test_boxes_without_an_area_overlap_with_nothing() -> None:
    assert ious(np.zeros(4), np.zeros((1, 4))).tolist() == [0.0]
    assert ious(np.array([5.0, 5, 0, 3]), np.array([[0.0, 0, 10, 10]])).tolist() == [0.0]
    assert ious(np.array([0.0, 0, 4, 4]), np.zeros((0, 4))).shape == (0,)


def slow(scenes: list[tuple[list[Proposal], np.ndarray]], threshold: float) -> tuple[int, int]:
    """Right boxes and all boxes with at least a score, greedily and scene by scene."""
    right = taken = 0
    for proposals, true in scenes:
        left = list(true)
        for one in sorted((p for p in proposals if p.score >= threshold), key=lambda p: -p.score):
            taken += 1
            fits = [float(ious(np.array(one.box), box[None])[0]) for box in left]
            if fits and max(fits) >= FIT:
                left.pop(fits.index(max(fits)))
                right += 1
    return right, taken


@given(scenes_of)
@settings(max_examples=60, deadline=None)
def test_the_threshold_is_that_of_the_best_f1(drawn: list[tuple[list[tuple[tuple[float, ...], float]], list[tuple[float, ...]]]]) -> None:
    scenes = [([Proposal(box, score) for box, score in boxes], np.array(true).reshape(-1, 4)) for boxes, true in drawn]  # type: ignore[arg-type]
    found, total = finding(scenes), sum(len(true) for _, true in scenes)
    scores = sorted({one.score for proposals, _ in scenes for one in proposals})
    if not scores or not total:
        assert found == Finding(0.0, 0.5, 0.0, 0.0)
        return
    at_ends = {score: slow(scenes, score) for score in scores}
    best = max(2 * right / (taken + total) for right, taken in at_ends.values())
    f1 = 2 * found.recall * found.precision / max(found.recall + found.precision, 1e-12)
    assert f1 >= best - 1e-9, "one rank inside a tie may do better than any threshold, none worse"
    assert 0 <= found.ap <= slow(scenes, 0.0)[0] / total + 1e-12


def test_all_right_all_wrong_and_one_too_many() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [20, 20, 10, 10]])
    right = [Proposal((0.0, 0.0, 10.0, 10.0), 0.9), Proposal((20.0, 20.0, 10.0, 10.0), 0.7)]
    assert finding([(right, boxes)]) == Finding(1.0, 0.7, 1.0, 1.0)
    assert finding([([Proposal((50.0, 50.0, 10.0, 10.0), 0.9)], boxes)]).ap == 0
    again = [*right, Proposal((0.0, 0.0, 10.0, 9.0), 0.2)]
    found = finding([(again, boxes)])
    assert (found.ap, found.recall, found.precision) == (1.0, 1.0, 1.0)
    assert found.threshold == pytest.approx(0.45), "half way between the last box that helps and the first that does not"


def test_a_true_box_is_taken_once_by_the_surer_box() -> None:
    boxes = np.array([[0.0, 0, 10, 10]])
    worse_but_surer = [Proposal((0.0, 0.0, 10.0, 7.0), 0.9), Proposal((0.0, 0.0, 10.0, 10.0), 0.8)]
    found = finding([(worse_but_surer, boxes)])
    assert (found.ap, found.recall, found.precision) == (1.0, 1.0, 1.0) and found.threshold == pytest.approx(0.85)
