"""Packages as surfaces: as large as the product, closed, with normals outwards, and printed where the label says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from repr.synthetic.identity import Product, skus
from repr.synthetic.packages import build, labels_of
from repr.synthetic.surface import Cloud
from repr.synthetic.vocabulary import FORMS

SPACING = 0.25  # centimetres
BOXES = [name for name, form in FORMS.items() if form.solid == "box"]
ROUND = [name for name, form in FORMS.items() if form.solid == "round"]
PILLOWS = [name for name, form in FORMS.items() if form.solid == "pillow"]


def product(form: str, **changes: object) -> Product:
    return replace(skus(0)[1], form_name=form, scale=1.0, **changes)  # type: ignore[arg-type]


def built(form: str, seed: int = 0, spacing: float = SPACING) -> Cloud:
    return build(product(form), spacing, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def clouds() -> dict[str, Cloud]:
    """One of every form."""
    return {name: built(name) for name in FORMS}


@pytest.mark.parametrize("name", FORMS)
def test_points_are_float32_with_unit_normals_and_colours(name: str, clouds: dict[str, Cloud]) -> None:
    cloud = clouds[name]
    assert cloud.place.dtype == cloud.normal.dtype == cloud.colour.dtype == np.float32
    assert cloud.place.shape == cloud.normal.shape == cloud.colour.shape and len(cloud.place) == 3
    assert all(np.isfinite(part).all() for part in (cloud.place, cloud.normal, cloud.colour))
    lengths = np.linalg.norm(cloud.normal, axis=0)
    assert np.mean(np.abs(lengths - 1) < 1e-3) > 0.97  # at a tip, where all points meet, there is none
    assert cloud.colour.min() >= 0 and cloud.colour.max() <= 255


@pytest.mark.parametrize("name", FORMS)
def test_it_is_as_large_as_its_form_says(name: str, clouds: dict[str, Cloud]) -> None:
    spans = np.ptp(clouds[name].place, axis=1)
    for span, side, loose in zip(spans, FORMS[name].size, (0.14, 0.06, 0.45), strict=True):
        assert span == pytest.approx(side, rel=loose, abs=0.15), "a pillow is less deep at its seams, and crumpled"


@pytest.mark.parametrize("name", FORMS)
def test_the_middle_is_the_origin(name: str, clouds: dict[str, Cloud]) -> None:
    place = clouds[name].place
    middle = (place.max(axis=1) + place.min(axis=1)) / 2
    assert np.abs(middle).max() < 0.06 * max(FORMS[name].size)


@pytest.mark.parametrize("name", FORMS)
def test_points_stand_close(name: str, clouds: dict[str, Cloud]) -> None:
    """No point is alone: the next is at most a spacing away; only the steep rims of bags are a little thinner."""
    distances, _ = cKDTree(clouds[name].place.T).query(clouds[name].place.T, k=2)
    assert np.quantile(distances[:, 1], 0.97) <= SPACING * 1.1 and distances.max() < 2 * SPACING


@pytest.mark.parametrize("name", [name for name in BOXES if FORMS[name].profile != "gable"])
def test_a_box_is_closed(name: str, clouds: dict[str, Cloud]) -> None:
    rng = np.random.default_rng(1)
    half = np.array(FORMS[name].size) / 2
    points = rng.uniform(-half, half, (2000, 3))
    axes, signs = rng.integers(0, 3, 2000), rng.choice([-1, 1], 2000)
    points[np.arange(2000), axes] = signs * half[axes]
    distances, nearest = cKDTree(clouds[name].place.T).query(points)
    assert distances.max() <= SPACING * 0.75
    outward = clouds[name].normal[axes, nearest] * signs
    inside = np.sort(half - np.abs(points), axis=1)[:, 1] > SPACING  # not at an edge, where two faces meet
    assert (outward[inside] > 0.99).all()


@pytest.mark.parametrize("name", ROUND)
def test_a_round_solid_turns_its_normals_outwards(name: str, clouds: dict[str, Cloud]) -> None:
    cloud = clouds[name]
    width, height, depth = FORMS[name].size
    wall = np.abs(cloud.place[1]) < 0.49 * height
    outward = cloud.place[0] * cloud.normal[0] + cloud.place[2] * cloud.normal[2]
    assert (outward[wall] > -1e-3).mean() > 0.95
    radius = np.hypot(cloud.place[0] / (width / 2), cloud.place[2] / (depth / 2))
    assert radius.max() < 1.13, "at most the pen's cap stands out"
    lid, bottom = cloud.place[1] > 0.4999 * height, cloud.place[1] < -0.4999 * height
    assert (cloud.normal[1][lid] > 0.99).mean() > 0.5 and (cloud.normal[1][bottom] < -0.99).mean() > 0.3


@pytest.mark.parametrize("name", PILLOWS)
def test_a_bag_has_two_sides_that_do_not_cross(name: str, clouds: dict[str, Cloud]) -> None:
    cloud = clouds[name]
    front = cloud.normal[2] > 0
    assert 0.4 < front.mean() < 0.6
    assert cloud.place[2][front].min() > 0 > cloud.place[2][~front].max()


def test_a_box_is_printed_as_its_label_says() -> None:
    """The points of the front, looked at from the front, are the label's pixels; those of the back mirrored."""
    box = product("box")
    cloud, labels = build(box, SPACING, np.random.default_rng(0)), labels_of(box)
    width, height, depth = box.size
    for face, z, sign in ((labels.front, depth / 2, 1), (labels.back, -depth / 2, -1)):
        here = (np.abs(cloud.place[2] - z) < 1e-4) & (cloud.normal[2] * sign > 0.99)
        u, v = 0.5 + sign * cloud.place[0][here] / width, 0.5 - cloud.place[1][here] / height
        rows = np.clip((v * face.shape[0]).astype(int), 0, face.shape[0] - 1)
        columns = np.clip((u * face.shape[1]).astype(int), 0, face.shape[1] - 1)
        agree = (np.abs(face[rows, columns].T.astype(float) - cloud.colour[:, here]) < 1).all(axis=0)
        assert agree.mean() > 0.85, "but for points on the border of two pixels"


@pytest.mark.parametrize("name", [*PILLOWS, "milk carton", "bottle", "tube"])
def test_the_seed_alone_decides_and_only_bags_crumple(name: str) -> None:
    first, same, other = built(name, 0, 0.6), built(name, 0, 0.6), built(name, 1, 0.6)
    np.testing.assert_array_equal(first.place, same.place)
    assert np.array_equal(first.place, other.place) is (name not in PILLOWS)


def test_a_finer_spacing_is_more_points_of_the_same_surface() -> None:
    coarse, fine = built("box", spacing=0.5), built("box", spacing=0.25)
    assert 3.2 < fine.place.shape[1] / coarse.place.shape[1] < 4.5
    distances, _ = cKDTree(fine.place.T).query(coarse.place.T)
    assert distances.max() < 0.25


def test_a_milk_carton_has_a_ridge_above_its_walls(clouds: dict[str, Cloud]) -> None:
    cloud = clouds["milk carton"]
    _, height, depth = FORMS["milk carton"].size
    above = cloud.place[1] > 0.93 * height / 2
    assert above.sum() > 100 and np.abs(cloud.place[2][above]).max() < 0.2, "only the seam"
    walls = np.abs(np.abs(cloud.place[2]) - depth / 2) < 1e-3
    assert cloud.place[1][walls].max() < 0.65 * height / 2


def test_the_label_of_a_bottle_goes_round_it() -> None:
    bottle = product("bottle")
    labels = labels_of(bottle)
    width, height, _ = bottle.size
    assert labels.front.shape[1] / labels.front.shape[0] == pytest.approx((np.pi * width / 2) / (height * 0.32), rel=0.05)
    assert labels_of(bottle) is labels_of(replace(bottle)), "drawn once"


def test_a_larger_product_is_a_larger_surface() -> None:
    small, large = (build(replace(product("jar"), scale=scale), SPACING, np.random.default_rng(0)) for scale in (1.0, 1.1))
    np.testing.assert_allclose(np.ptp(large.place, axis=1) / np.ptp(small.place, axis=1), 1.1, rtol=0.02)
