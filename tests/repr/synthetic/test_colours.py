"""Colours: hue, saturation and value as 8-bit RGB, and their shades."""

from __future__ import annotations

import colorsys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repr.synthetic.colours import colour, shade

UNIT = st.floats(0, 1)
RGB = st.tuples(*[st.integers(0, 255)] * 3)


@pytest.mark.parametrize(
    ("hue", "rgb"), [(0, (255, 0, 0)), (1 / 6, (255, 255, 0)), (1 / 3, (0, 255, 0)), (2 / 3, (0, 0, 255)), (5 / 6, (255, 0, 255))]
)
def test_pure_hues(hue: float, rgb: tuple[int, int, int]) -> None:
    assert colour(hue, 1, 1) == rgb


@given(UNIT, UNIT, UNIT)
def test_value_is_the_brightest_channel_and_saturation_the_span(hue: float, saturation: float, value: float) -> None:
    channels = colour(hue, saturation, value)
    assert max(channels) == pytest.approx(255 * value, abs=0.51)
    assert min(channels) == pytest.approx(255 * value * (1 - saturation), abs=0.51)


@given(UNIT, st.integers(-3, 3))
def test_hues_go_round(hue: float, turns: int) -> None:
    a, b = colour(hue, 0.6, 0.7), colour(hue + turns, 0.6, 0.7)
    assert max(abs(x - y) for x, y in zip(a, b, strict=True)) <= 1


@given(st.floats(-2, 3), st.floats(-2, 3))
def test_beyond_the_limits_is_cut(saturation: float, value: float) -> None:
    assert colour(0.3, saturation, value) == colour(0.3, min(max(saturation, 0), 1), min(max(value, 0), 1))


@given(RGB)
def test_the_ends_of_shading(rgb: tuple[int, int, int]) -> None:
    assert shade(rgb, 0) == rgb and shade(rgb, 1) == (255, 255, 255) and shade(rgb, -1) == (0, 0, 0)


@given(RGB, UNIT, UNIT)
def test_a_stronger_shade_is_nowhere_nearer_to_the_start(rgb: tuple[int, int, int], by: float, more: float) -> None:
    little, much = sorted((by, more))
    assert all(rgb[i] <= shade(rgb, little)[i] <= shade(rgb, much)[i] <= 255 for i in range(3))
    assert all(rgb[i] >= shade(rgb, -little)[i] >= shade(rgb, -much)[i] >= 0 for i in range(3))


def test_a_shade_keeps_the_hue() -> None:
    red, green, blue = shade(colour(0.6, 1.0, 0.8), 0.5)
    assert colorsys.rgb_to_hsv(red, green, blue)[0] == pytest.approx(0.6, abs=0.01)
