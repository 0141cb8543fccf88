"""The drawings on packages: each paints round its place, in the colours it is given, and looks like no other."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from repr.arrays import Array
from repr.synthetic.colours import Colour
from repr.synthetic.motifs import MOTIFS, leaf_points, oval, petals

PAPER = (128, 128, 128)
RED, BLUE = (230, 30, 30), (30, 30, 230)


def painted(name: str, x: float = 100, y: float = 100, r: float = 40, a: Colour = RED, b: Colour = BLUE) -> Array:
    image = Image.new("RGB", (200, 200), PAPER)
    MOTIFS[name](ImageDraw.Draw(image), x, y, r, a, b)
    return np.asarray(image)


def mask(name: str, x: float = 100, y: float = 100, r: float = 40) -> Array:
    return np.asarray((painted(name, x, y, r) != PAPER).any(axis=2))


@pytest.mark.parametrize("name", MOTIFS)
def test_it_is_painted_round_its_place(name: str) -> None:
    rows, columns = np.nonzero(mask(name))
    assert 0.1 * 40**2 < len(rows) < 6 * 40**2
    assert np.hypot(columns - 100, rows - 100).max() <= 1.6 * 40
    assert abs(columns.mean() - 100) < 20 and abs(rows.mean() - 100) < 20


@pytest.mark.parametrize("name", MOTIFS)
def test_it_goes_where_it_is_put(name: str) -> None:
    here, there = mask(name), mask(name, x=120, y=90)
    overlap = here[10:, :-20] & there[:-10, 20:]
    assert overlap.sum() > 0.97 * here.sum()


@pytest.mark.parametrize("name", MOTIFS)
def test_twice_the_radius_is_four_times_the_area(name: str) -> None:
    assert mask(name, r=60).sum() / mask(name, r=30).sum() == pytest.approx(4, rel=0.2)


@pytest.mark.parametrize("name", sorted(set(MOTIFS) - {"chilli", "cow", "seeds"}))
def test_flavours_show_in_it(name: str) -> None:
    """All but those whose colour nobody changes: a chilli is red."""
    assert (painted(name) != painted(name, a=(20, 160, 60), b=(240, 200, 40))).any(axis=2).sum() > 100


def test_no_two_look_alike() -> None:
    drawings = {name: painted(name).astype(int) for name in MOTIFS}
    for one, other in itertools.combinations(drawings, 2):
        differing = (np.abs(drawings[one] - drawings[other]).max(axis=2) > 30).sum()
        assert differing > 0.15 * 40**2, f"{one} is {other}"


@given(st.integers(3, 14), st.floats(0, 0.9), st.floats(1, 50), st.floats(-3, 3))
def test_the_points_of_a_star_lie_on_two_circles(n: int, depth: float, r: float, turn: float) -> None:
    points = petals(5, 7, r, n, depth, turn)
    radii = [math.hypot(x - 5, y - 7) for x, y in points]
    assert len(points) == 2 * n
    assert radii[::2] == pytest.approx([r] * n) and radii[1::2] == pytest.approx([r * (1 - depth)] * n)


def test_a_star_points_up() -> None:
    assert petals(0, 0, 10, 5, 0.5)[0] == pytest.approx((0, -10))


@given(st.floats(1, 50), st.floats(-4, 4), st.floats(0.1, 1))
def test_a_leaf_goes_from_its_stem_to_its_tip_and_is_even(r: float, angle: float, fat: float) -> None:
    points = np.array(leaf_points(3, 4, r, angle, fat))
    assert points[0] == pytest.approx((3, 4)) and points[-1] == pytest.approx((3, 4), abs=1e-6)
    assert points[6] == pytest.approx((3 + r * math.cos(angle), 4 + r * math.sin(angle)), abs=1e-6)
    along, across = np.array([math.cos(angle), math.sin(angle)]), np.array([-math.sin(angle), math.cos(angle)])
    sides = (points - (3, 4)) @ across
    assert sides[1:6] == pytest.approx(-sides[11:6:-1], abs=1e-6)
    assert np.abs(sides).max() == pytest.approx(r * fat / 1.3, rel=1e-6)
    assert ((points - (3, 4)) @ along).max() == pytest.approx(r, rel=1e-6)


def test_an_oval_has_the_area_of_an_ellipse() -> None:
    image = Image.new("L", (200, 200), 0)
    oval(ImageDraw.Draw(image), 100, 90, 60, 25, 255)  # type: ignore[arg-type]
    rows, columns = np.nonzero(np.asarray(image))
    assert len(rows) == pytest.approx(math.pi * 60 * 25, rel=0.03)
    assert (columns.mean(), rows.mean()) == (pytest.approx(100, abs=0.6), pytest.approx(90, abs=0.6))
