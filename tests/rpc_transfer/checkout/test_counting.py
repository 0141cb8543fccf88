"""Counts at every threshold: the same whatever the order of the boxes, of the images and of the products, and as whole tables say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repr.arrays import Array, Ints
from rpc_transfer.checkout.counting import Counts, Tape
from rpc_transfer.checkout.files import Counter, Detected

PRODUCTS = 3
Boxes = list[tuple[int, int, float]]
truths = st.lists(st.lists(st.integers(0, 3), min_size=PRODUCTS, max_size=PRODUCTS), min_size=1, max_size=5)
scored = st.lists(st.tuples(st.integers(0, 4), st.integers(0, PRODUCTS), st.sampled_from([0.0, 0.2, 0.2, 0.6, 1.0])), max_size=25)


def counter(true: Ints) -> Counter:
    """true: (n, PRODUCTS) boxes of each product in each image."""
    pairs = [(i, k) for (i, k), n in np.ndenumerate(true) for _ in range(n)]
    image, product = (np.array([pair[at] for pair in pairs], np.int64) for at in (0, 1))
    names = tuple(f"{i}.jpg" for i in range(len(true)))
    ids, categories = {name: i for i, name in enumerate(names)}, {str(k): k for k in range(PRODUCTS)}
    return Counter(ids, names, np.array([""] * len(true)), categories, image, product, np.zeros((len(pairs), 4)))


def detected(boxes: Boxes) -> Detected:
    image, product = (np.array([box[at] for box in boxes], np.int64) for at in (0, 1))
    return Detected(image, product, np.zeros((len(boxes), 4)), np.array([box[2] for box in boxes], np.float64))


def tape(true: Ints, boxes: Boxes, counts: Array | None = None) -> Tape:
    return Tape.of(counter(true), detected(boxes), np.ones(len(true), bool) if counts is None else np.asarray(counts, bool))


def table(true: Ints, boxes: Boxes, threshold: float) -> Ints:
    """(n, PRODUCTS + 1) counted boxes; the last column: of products that the truth has not."""
    counted = np.zeros((len(true), PRODUCTS + 1), np.int64)
    for image, product, score in boxes:
        counted[image, product] += score >= threshold
    return counted


@given(truths, scored)
@settings(max_examples=60, deadline=None)
def test_the_order_of_boxes_and_images_and_the_numbers_of_products_are_no_matter(true: list[list[int]], found: Boxes) -> None:
    rows, boxes = np.array(true), [box for box in found if box[0] < len(true)]
    rng = np.random.default_rng(len(boxes))
    images, products = rng.permutation(len(rows)), rng.permutation(PRODUCTS)
    moved_boxes = [(int(images[i]), int(products[k]) if k < PRODUCTS else k, score) for i, k, score in boxes]
    moved = np.zeros_like(rows)
    moved[np.ix_(images, products)] = rows
    shuffled = [moved_boxes[n] for n in rng.permutation(len(moved_boxes))]
    first, second = tape(rows, boxes), tape(moved, shuffled)
    for threshold in (0.0, 0.2, 0.5, 1.1):
        a, b = first.strict(threshold), second.strict(threshold)
        assert (a.cAcc, a.ACD, a.images) == (b.cAcc, b.ACD, b.images)
        assert (a.mCCD, a.mCIoU) == (pytest.approx(b.mCCD), pytest.approx(b.mCIoU))
    assert first.best_threshold() == second.best_threshold()


@given(truths, scored, st.data())
@settings(max_examples=60, deadline=None)
def test_images_that_do_not_count_are_as_if_they_were_not_there(true: list[list[int]], found: Boxes, data: st.DataObject) -> None:
    rows, boxes = np.array(true), [box for box in found if box[0] < len(true)]
    counts = np.array(data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))))
    place = np.cumsum(counts) - 1
    inside = [(int(place[i]), k, score) for i, k, score in boxes if counts[i]]
    without = tape(rows, boxes, counts)
    if not counts.any():
        assert without.strict(0.5) == Counts(None, None, None, None, 0) and not len(without.scores)
        return
    assert without.strict(0.5) == tape(rows[counts], inside).strict(0.5)


@given(truths, scored)
@settings(max_examples=60, deadline=None)
def test_the_best_threshold_is_best_has_the_fewest_miscounts_and_takes_no_box_more_than_it_must(
    true: list[list[int]], found: Boxes
) -> None:
    rows, boxes = np.array(true), [box for box in found if box[0] < len(true)]
    best = tape(rows, boxes).best_threshold()

    def judged(threshold: float) -> tuple[float, int, int]:
        counted = table(rows, boxes, threshold)
        distance = np.abs(counted[:, :PRODUCTS] - rows).sum(axis=1) + counted[:, PRODUCTS]
        return -float((distance == 0).mean()), int(distance.sum()), int(counted.sum())

    assert judged(best) == min(judged(threshold) for threshold in (0.0, 0.1, 0.4, 0.8, 1.5))


@given(truths, scored, st.integers(0, 25))
@settings(max_examples=60, deadline=None)
def test_sums_by_product_are_those_of_minimum_and_maximum(true: list[list[int]], found: Boxes, n: int) -> None:
    rows = np.array(true)
    boxes = sorted((box for box in found if box[0] < len(true)), key=lambda box: -box[2])[:n]
    every = np.ones(len(rows), bool)
    total, fit, extra = tape(rows, boxes).sums(len(boxes), every)
    counted = table(rows, boxes, 0.0)[:, :PRODUCTS]
    np.testing.assert_array_equal(total, rows.sum(axis=0))
    np.testing.assert_array_equal(fit, np.minimum(rows, counted).sum(axis=0))
    np.testing.assert_array_equal(total + extra, np.maximum(rows, counted).sum(axis=0))


def test_a_counter_with_nothing_on_it() -> None:
    empty = np.zeros((2, PRODUCTS), np.int64)
    assert tape(empty, []).strict(0.5) == Counts(1.0, 0.0, None, None, 2) and tape(empty, []).best_threshold() == 0.0
    wrong = tape(empty, [(0, 1, 0.9), (1, PRODUCTS, 0.4)])
    assert wrong.strict(0.5) == Counts(0.5, 0.5, None, None, 2) and wrong.best_threshold() > 0.9, "best is to take no box at all"


def test_equal_scores_are_taken_together() -> None:
    """No threshold parts them, so that no order of the file decides what is right."""
    true = np.array([[1, 0, 0], [0, 1, 0]])
    boxes = [(0, 0, 0.5), (1, 0, 0.5), (1, 1, 0.5)]
    for order in (boxes, boxes[::-1]):
        assert tape(true, order).length(0.5) == 3 and tape(true, order).length(0.5000001) == 0
        assert tape(true, order).strict(tape(true, order).best_threshold()).cAcc == 0.5
