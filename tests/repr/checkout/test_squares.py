"""What a detector is shown, and what becomes of its answer: boxes come back in the image's own pixels, whatever its shape."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from repr.checkout.choice import proposer_of
from repr.checkout.classical import propose
from repr.checkout.cold import opened
from repr.checkout.squares import GREY, KEPT, LEAST, SMALLEST, proposals_of, squared
from repr.errors import UserError

sides = st.integers(1, 400)


@given(sides, sides, st.sampled_from([32, 64, 320]))
@settings(max_examples=40, deadline=None)
def test_an_image_of_any_shape_fills_the_square_by_its_longer_side(width: int, height: int, side: int) -> None:
    square, scale = squared(Image.new("RGB", (width, height), (10, 20, 30)), side)
    assert square.shape == (side, side, 3) and square.dtype == np.uint8 and scale == side / max(width, height)
    inside = (square == (10, 20, 30)).all(axis=2)
    assert inside.sum() == max(1, round(width * scale)) * max(1, round(height * scale))
    assert inside[0, 0] and (square[~inside] == GREY).all(), "in the upper left, grey beside it"


@given(st.integers(20, 400), st.integers(20, 400), st.tuples(*[st.floats(0, 1)] * 4))
@settings(max_examples=60, deadline=None)
def test_a_box_in_the_square_comes_back_where_it_was_in_the_image(width: int, height: int, drawn: tuple[float, ...]) -> None:
    side, scale = 64, 64 / max(width, height)
    (x0, x1), (y0, y1) = sorted((drawn[0] * width, drawn[1] * width)), sorted((drawn[2] * height, drawn[3] * height))
    boxes = np.array([[x0, y0, x1, y1]], np.float32) * np.float32(scale)
    assert boxes.max() <= side + 1e-3
    found = proposals_of(boxes, np.array([[0.9]], np.float32), (), scale, (width, height))
    if min(x1 - x0, y1 - y0) < SMALLEST - 0.01:
        assert found == []
    elif min(x1 - x0, y1 - y0) > SMALLEST + 0.01:
        np.testing.assert_allclose(found[0].box, (x0, y0, x1 - x0, y1 - y0), atol=0.01 * max(width, height))


def test_boxes_are_cut_at_the_edges_of_the_image() -> None:
    boxes = np.array([[-30.0, -30.0, 500.0, 20.0]], np.float32)
    (found,) = proposals_of(boxes, np.array([[0.9]], np.float32), (), 0.5, (100, 80))
    assert found.box == (0.0, 0.0, 100.0, 40.0)


def test_the_surest_first_without_doubles_and_without_what_is_unlikely() -> None:
    apart = [[20.0 * n, 0.0, 20.0 * n + 10, 10.0] for n in range(4)]
    boxes = np.array([*apart, apart[1]], np.float32)
    scores = np.array([[0.3], [0.9], [LEAST - 0.01], [0.5], [0.8]], np.float32)
    found = proposals_of(boxes, scores, (), 1.0, (100, 100))
    assert [round(one.score, 2) for one in found] == [0.9, 0.5, 0.3] and [one.product for one in found] == [""] * 3
    assert proposals_of(boxes, scores, (), 1.0, (100, 100), least=0.6)[-1].score > 0.6
    many = np.array([[3.0 * n, 0.0, 3.0 * n + 2.5, 9.0] for n in range(2 * KEPT)], np.float32)
    assert len(proposals_of(many, np.full((len(many), 1), 0.9, np.float32), (), 1.0, (1000, 10))) == KEPT


def test_a_class_a_product_names_the_box_by_the_likeliest() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [20, 0, 30, 10]], np.float32)
    scores = np.array([[0.2, 0.7, 0.1], [0.3, 0.1, 0.6]], np.float32)
    found = proposals_of(boxes, scores, ("C+C", "a → b", "nan"), 1.0, (50, 50))
    assert [(one.product, round(one.score, 1)) for one in found] == [("a → b", 0.7), ("nan", 0.6)]


def test_who_finds_products_is_told_by_name_or_by_file(tmp_path: Path) -> None:
    assert proposer_of("classical") is propose and opened("classical", lambda *_: pytest.fail("nothing to export")) is propose
    (tmp_path / "a.onnx").write_bytes(b"no such file")
    (tmp_path / "detector.safetensors").write_bytes(b"no such file")
    for choose in (lambda name: proposer_of(name, device="cpu"), lambda name: opened(name, lambda *_: pytest.fail("exported"))):
        for name in ("a.onnx", "gone.onnx", "gone.safetensors", "gone"):
            with pytest.raises(UserError) as raised:
                choose(str(tmp_path / name))
            assert name.partition(".")[0] in str(raised.value) and "\n" not in str(raised.value) and raised.value.remedy
