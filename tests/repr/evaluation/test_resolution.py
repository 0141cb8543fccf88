"""Accuracy by image size: sides from boxes, records or files, and every image in one range."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from repr.catalog.table import Source, build
from repr.evaluation.resolution import BOUNDS, by_resolution, short_sides


@given(st.lists(st.tuples(st.integers(1, 3000), st.booleans()), min_size=1, max_size=40))
def test_every_image_is_in_one_range(images: list[tuple[int, bool]]) -> None:
    sides, right = np.array([side for side, _ in images]), np.array([correct for _, correct in images])
    ranges = by_resolution(sides, right)
    assert sum(one["n"] for one in ranges) == len(images)
    assert np.isclose(sum(one["n"] * one["accuracy"] for one in ranges), right.sum())
    for one in ranges:
        last = one["to"] if one["to"] is not None else 10**9
        inside = (sides >= one["from"]) & (sides <= last)
        assert inside.sum() == one["n"] > 0 and np.isclose(right[inside].mean(), one["accuracy"])


def test_the_bounds_belong_to_the_smaller_range() -> None:
    sides = np.array([*BOUNDS, *(bound + 1 for bound in BOUNDS)])
    ranges = by_resolution(sides, np.ones(len(sides), bool))
    assert [(one["from"], one["to"], one["n"]) for one in ranges] == [
        (1, 75, 1),
        (76, 150, 2),
        (151, 220, 2),
        (221, 400, 2),
        (401, 1000, 2),
        (1001, None, 1),
    ]


def test_a_side_is_of_the_box_then_of_the_records_then_of_the_file(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    columns = {
        "path": ["a.png"] * 3,
        "product": ["1"] * 3,
        "box": [[0, 0, 10, 20], None, None],
        "width": [40, 300, None],
        "height": [30, 200, None],
    }
    catalog = build(columns, classes=((), (), ()), sources=(Source("shop", "folders", tmp_path),))
    assert short_sides(catalog, np.arange(3)).tolist() == [10, 200, 30]
    assert short_sides(catalog, np.array([2, 0])).tolist() == [30, 10]
