"""The checkout experiment's own arithmetic, by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools" / "experiments"))

import checkout_naming as naming
import checkout_table as tables

from rpc_transfer.checkout.files import Counter, Detected


@pytest.fixture
def truth() -> Counter:
    """Two scenes: products 0 and 1 on the first, 1 on the second."""
    boxes = np.array([[0, 0, 10, 10], [20, 0, 10, 10], [0, 0, 10, 10.0]])
    return Counter(
        {"1": 0, "2": 1}, ("a", "b"), np.array(["easy", "hard"]), {"5": 0, "6": 1, "7": 2}, np.array([0, 0, 1]), np.array([0, 1, 1]), boxes
    )


def found(*rows: tuple[int, int, float, float]) -> Detected:
    """Boxes of 10 × 10: image, product, left, score."""
    image, product, left, score = np.array(rows, np.float64).T
    boxes = np.column_stack([left, np.zeros(len(rows)), np.full((len(rows), 2), 10.0)])
    return Detected(image.astype(np.int64), product.astype(np.int64), boxes, score)


def test_each_true_box_is_lost_in_one_way(truth: Counter) -> None:
    above = {0: "drinks", 1: "drinks", 2: "sweets"}
    told = naming.errors(truth, found((0, 1, 1, 0.9), (0, 2, 20, 0.9), (0, 0, 60, 0.9), (1, 1, 0, 0.1)), 0.5, above)
    assert told == pytest.approx({"right": 0, "missed": 0, "within": 1 / 3, "across": 1 / 3, "unknown": 1 / 3, "too many": 1 / 3})
    told = naming.errors(truth, found((0, 0, 0, 0.9), (0, 3, 20, 0.9)), 0.5, above)
    assert told == pytest.approx({"right": 1 / 3, "missed": 1 / 3, "within": 0, "across": 0, "unknown": 1 / 3, "too many": 0})


def test_recall_of_novel_products_is_apart(truth: Counter) -> None:
    boxes = found((0, 0, 0, 0.9), (0, 1, 22, 0.9), (1, 1, 0, 0.2))
    assert naming.recall(truth, boxes, 0.5, np.array([1])) == (0.5, 1.0)


def test_shots_are_drawn_for_every_product() -> None:
    keys = np.array(["a"] * 30 + ["b"] * 4)
    rows = naming.drawn(keys, 3)
    assert (keys[rows] == "a").sum() == naming.SHOTS and (keys[rows] == "b").sum() == 4
    assert rows.tolist() == naming.drawn(keys, 3).tolist() != naming.drawn(keys, 4).tolist()


def test_tables_have_a_mean_and_an_interval() -> None:
    assert tables.mean([0.5, None]) == "50.0" and tables.mean([]) == ""
    assert tables.mean([0.4, 0.6]).startswith("50.0 ± ") and tables.mean([1.0, 2.0], percent=False).startswith("1.50 ± ")
    text = tables.table(["a", "b", "c", "d", "n"], [["x", "y", "z", "w", "1"]])
    assert text.splitlines()[1] == "| --- | --- | --- | --- | ---: |" and text.endswith("| x | y | z | w | 1 |")
