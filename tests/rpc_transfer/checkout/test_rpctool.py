"""rpctool's search and rounding, against its own steps written out as loops over whole tables."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repr.arrays import Ints
from rpc_transfer.checkout.counting import Counts, Tape
from rpc_transfer.checkout.files import Counter, Detected
from rpc_transfer.checkout.rpctool import last_of_name, measured, printed, printed_precision

PRODUCTS = 3
Boxes = list[tuple[int, int, float]]


def counter(true: Ints, names: tuple[str, ...] = ()) -> Counter:
    pairs = [(i, k) for (i, k), n in np.ndenumerate(true) for _ in range(n)]
    image, product = (np.array([pair[at] for pair in pairs], np.int64) for at in (0, 1))
    names = names or tuple(f"{i}.jpg" for i in range(len(true)))
    ids = {str(i): i for i in range(len(true))}
    return Counter(ids, names, np.array([""] * len(true)), {str(k): k for k in range(PRODUCTS)}, image, product, np.zeros((len(pairs), 4)))


def tape(true: Ints, boxes: Boxes) -> Tape:
    image, product = (np.array([box[at] for box in boxes], np.int64) for at in (0, 1))
    scores = np.array([box[2] for box in boxes], np.float64)
    return Tape.of(counter(true), Detected(image, product, np.zeros((len(boxes), 4)), scores), np.ones(len(true), bool))


def accuracy(true: Ints, boxes: Boxes, threshold: float) -> float | None:
    """The share of images with a box that are counted rightly; None where there is no box."""
    counted: dict[int, list[int]] = {}
    for image, product, score in boxes:
        if score >= threshold:
            counted.setdefault(image, [0] * PRODUCTS)[product] += 1
    if not counted:
        return None
    return float(np.mean([list(true[image]) == row for image, row in counted.items()]))


def search(true: Ints, boxes: Boxes) -> float | None:
    """Four rounds of ten thresholds, each between the lowest and the highest of the three best of the round before."""
    low, high = 0.01, 0.99
    for _ in range(4):
        tried = [(t, rate) for t in np.linspace(low, high, 10) if (rate := accuracy(true, boxes, t)) is not None]
        if not tried:
            return None
        tried.sort(key=lambda pair: -pair[1])
        best = [t for t, _ in tried[:3]]
        low, high = min(best), max(best)
    return float(tried[0][0])


truths = st.lists(st.lists(st.integers(0, 2), min_size=PRODUCTS, max_size=PRODUCTS), min_size=1, max_size=5)
scored = st.lists(st.tuples(st.integers(0, 4), st.integers(0, PRODUCTS - 1), st.floats(0, 1, width=32)), max_size=20)


@given(truths, scored)
@settings(max_examples=60, deadline=None)
def test_it_searches_as_rpctool_does(rows: list[list[int]], drawn: Boxes) -> None:
    true, boxes = np.array(rows), [box for box in drawn if box[0] < len(rows)]
    counts, threshold = measured(tape(true, boxes))
    expected = search(true, boxes)
    assert (threshold is None) == (expected is None)
    if threshold is None or expected is None:
        assert counts == Counts(None, None, None, None, 0)
        return
    assert accuracy(true, boxes, threshold) == pytest.approx(accuracy(true, boxes, expected))
    assert counts.cAcc == pytest.approx(accuracy(true, boxes, threshold))
    assert counts.images == len({image for image, _, score in boxes if score >= threshold})


def test_of_several_images_with_one_name_the_last_counts() -> None:
    made = counter(np.zeros((4, PRODUCTS), np.int64), ("a.jpg", "b.jpg", "a.jpg", "a.jpg"))
    assert last_of_name(made).tolist() == [False, True, False, True]


@pytest.mark.parametrize(
    ("value", "percent", "text"),
    [
        (0.45555, True, "45.56%"), (0.455549, True, "45.55%"), (1.0, True, "100.0%"), (0.0, True, "0.0%"), (None, True, "nan%"),
        (1.3249, False, "1.32"), (1.325001, False, "1.32"), (12.0, False, "12.0"), (None, False, "nan"), (0.00004, False, "0.0"),
    ],
)  # fmt: skip
def test_rounding_is_to_four_digits_then_to_two(value: float | None, percent: bool, text: str) -> None:
    assert printed(value, percent=percent) == text


@pytest.mark.parametrize(("value", "text"), [(0.123456, "12.35%"), (1.0, "100.0%"), (None, "nan%"), (0.0, "0.0%")])
def test_precision_as_it_is_printed(value: float | None, text: str) -> None:
    assert printed_precision(value) == text


def test_a_product_that_is_nowhere_makes_its_means_not_a_number() -> None:
    """As there: 0 / 0 for one product is nan for all; here None."""
    true = np.array([[1, 0, 0], [0, 2, 0]])
    counts, _ = measured(tape(true, [(0, 0, 0.9), (1, 1, 0.9), (1, 1, 0.8)]))
    assert (counts.cAcc, counts.ACD, counts.mCCD, counts.mCIoU) == (1.0, 0.0, None, None)
    whole = np.array([[1, 1, 1]])
    counts, _ = measured(tape(whole, [(0, 0, 0.9), (0, 1, 0.9), (0, 2, 0.9)]))
    assert (counts.mCCD, counts.mCIoU) == (0.0, 1.0)
