"""The interactive map: every point has its image and its words, and names cannot break out of the page."""

from __future__ import annotations

import json
import re

import numpy as np

from repr.reports.embedding_map import map_fragment, sprite


def test_each_image_stands_where_the_script_looks_for_it() -> None:
    thumbs = np.arange(7, dtype=np.uint8)[:, None, None, None] * np.ones((7, 4, 4, 3), np.uint8)
    image, columns = sprite(thumbs)
    pixels = np.asarray(image)
    assert columns == 3 and pixels.shape == (12, 12, 3)
    for i in range(7):
        row, column = divmod(i, columns)
        assert (pixels[row * 4 : row * 4 + 4, column * 4 : column * 4 + 4] == i).all()


def test_points_labels_and_groups_stay_in_order_and_names_are_escaped() -> None:
    points = np.array([[0, 0.5], [1, -1], [-1, 0]], np.float32)
    names = ["</script><b>", "tea", "tea"]
    page = map_fragment({"a": points, "b <i>": -points}, np.zeros((3, 4, 4, 3), np.uint8), names, names, "Words <u>")
    data = json.loads(re.search(r'json">(.*?)</script>', page)[1])  # type: ignore[index]
    assert data["labels"] == names and data["maps"][0]["points"] == points.tolist()
    assert data["groups"] == [1, 0, 0], "the largest group first"
    assert "<b>" not in page and "<u>" not in page and "<i>" not in page
    assert page.count("<option>") == 2
