"""The camera against a plain projection matrix, and what can be seen: near before far, fronts, shadows, light."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from repr.arrays import Array
from repr.synthetic.camera import FACE_DOWN, FACE_UP, HEAD_DOWN, SPACING, UPRIGHT, Camera, Light, Sprite, finish, look, pose, shadow, turned
from repr.synthetic.surface import Cloud

X, Y, Z = np.eye(3)
RED, GREEN = (220.0, 20.0, 20.0), (20.0, 200.0, 20.0)
ANGLES = st.floats(-7, 7)


def square(side: float, z: float, colour: tuple[float, float, float], *, spacing: float = 0.05, up: float = 1.0) -> Cloud:
    """A horizontal square round the origin at height z whose normals point up or down."""
    line = np.linspace(-side / 2, side / 2, round(side / spacing) + 1, dtype=np.float32)
    x, y = (part.ravel() for part in np.meshgrid(line, line))
    place = np.stack([x, y, np.full_like(x, z)])
    normal = np.zeros_like(place)
    normal[2] = up
    return Cloud(place, normal, np.repeat(np.array(colour, dtype=np.float32)[:, None], x.size, axis=1))


def opaque(sprite: Sprite) -> Array:
    return np.asarray(sprite.image.getchannel("A")) > 127


ABOVE = Camera.at(90, 100, 10, (100, 100))
LAMP = Light(np.array([0, 0, 1], dtype=np.float32))


@pytest.mark.parametrize(("axis", "start", "end"), [("x", Y, Z), ("y", Z, X), ("z", X, Y)])
def test_a_quarter_turn_by_the_right_hand(axis: str, start: Array, end: Array) -> None:
    np.testing.assert_allclose(turned(axis, np.pi / 2) @ start, end, atol=1e-6)


@given(st.sampled_from("xyz"), ANGLES, ANGLES)
def test_turns_are_rotations_and_add_up(axis: str, a: float, b: float) -> None:
    matrix = turned(axis, a)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-5)
    assert np.linalg.det(matrix) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(matrix @ turned(axis, b), turned(axis, a + b), atol=1e-5)


def test_how_packages_rest() -> None:
    """Package axes: y up, z out of the front."""
    np.testing.assert_allclose(UPRIGHT @ Y, Z, atol=1e-6)
    np.testing.assert_allclose(HEAD_DOWN @ Y, -Z, atol=1e-6)
    np.testing.assert_allclose(FACE_UP @ Z, Z, atol=1e-6)
    np.testing.assert_allclose(FACE_DOWN @ Z, -Z, atol=1e-6)
    np.testing.assert_allclose(UPRIGHT @ Z, -Y, atol=1e-6)  # the front looks at the camera, which stands on that side


@given(st.floats(0, 90), st.floats(20, 200), st.floats(1, 20), st.floats(0, 30))
def test_the_middle_of_the_image_is_what_the_camera_is_aimed_at(elevation: float, distance: float, scale: float, height: float) -> None:
    camera = Camera.at(elevation, distance, scale, (50, 60), height)
    points = np.array([[0, 0, height], [1, 0, height]], dtype=np.float32).T
    x, y, depth = camera.project(points)
    assert (x[0], y[0]) == (pytest.approx(50, abs=0.05), pytest.approx(60, abs=0.05)) and depth[0] == pytest.approx(distance, rel=1e-3)
    assert x[1] - x[0] == pytest.approx(scale, rel=1e-2), "a centimetre there has so many pixels"


@given(st.floats(0, 90))
def test_the_axes_of_a_camera_are_a_rotation(elevation: float) -> None:
    axes = Camera.at(elevation, 50, 10, (0, 0)).axes
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(np.cross(axes[0], axes[1]), axes[2], atol=1e-5)


def test_projection_is_that_of_a_camera_matrix() -> None:
    camera = Camera.at(33, 80, 7, (120, 90), 5)
    points = np.random.default_rng(0).uniform(-15, 15, (3, 50)).astype(np.float32)
    intrinsic = np.array([[camera.focal, 0, 120], [0, camera.focal, 90], [0, 0, 1]])
    extrinsic = np.hstack([camera.axes, -(camera.axes @ camera.place)[:, None]])
    u, v, w = intrinsic @ extrinsic @ np.vstack([points, np.ones(50)])
    x, y, depth = camera.project(points)
    np.testing.assert_allclose(depth, w, rtol=1e-4)
    np.testing.assert_allclose(x, u / w, atol=1e-2)
    np.testing.assert_allclose(y, v / w, atol=1e-2)


def test_higher_things_stand_higher_and_farther_ones_are_smaller() -> None:
    camera = Camera.at(15, 60, 8, (100, 100))
    _, y, _ = camera.project(np.array([[0, 0, 0], [0, 0, 10]], dtype=np.float32).T)
    assert y[1] < y[0]
    x, _, depth = camera.project(np.array([[5, -20, 0], [5, 20, 0]], dtype=np.float32).T)
    assert depth[0] < depth[1] and x[0] > x[1] > 100


def test_random_lamps_shine_from_above_and_follow_the_seed() -> None:
    lights = [Light.random(np.random.default_rng(seed), 1.6, 0.6) for seed in range(40)]
    for light in lights:
        assert np.linalg.norm(light.towards) == pytest.approx(1, abs=1e-5)
        assert light.towards[2] == pytest.approx(1.6 / np.hypot(1.6, 1), abs=1e-4)
        assert 0.5 <= light.ambient <= 0.62 and 0.38 <= light.direct <= 0.55
    again = Light.random(np.random.default_rng(3), 1.6, 0.6)
    assert again.tint == lights[3].tint and (again.towards == lights[3].towards).all()
    assert np.std([light.tint[0] for light in lights]) > 0.02
    assert Light.random(np.random.default_rng(0), 1.6, 0.0).tint == (1, 1, 1)


def test_the_box_of_a_sprite_is_what_is_more_than_half_opaque() -> None:
    image = Image.new("RGBA", (30, 20), (0, 0, 0, 100))
    image.paste((9, 9, 9, 200), (4, 5, 14, 12))
    assert Sprite(image, 100, 50).box == (104, 55, 10, 7)


@given(ANGLES, st.floats(-20, 20), st.floats(-20, 20), st.floats(-3, 3))
def test_a_posed_cloud_keeps_its_shape_and_stands_on_the_plane(angle: float, x: float, y: float, z: float) -> None:
    cloud = square(4, 1, RED, spacing=1)
    posed = pose(cloud, turned("x", angle), x, y, z)
    assert posed.place[2].min() == pytest.approx(z, abs=1e-4)
    centred = posed.place - posed.place.mean(axis=1, keepdims=True)
    expected = cloud.place - cloud.place.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(centred, turned("x", angle) @ expected, atol=1e-3)
    np.testing.assert_allclose(posed.normal, turned("x", angle) @ cloud.normal, atol=1e-5)
    np.testing.assert_array_equal(posed.colour, cloud.colour)


def test_a_square_is_seen_where_it_projects_to_without_holes() -> None:
    sprite = look(square(6, 0, RED, spacing=SPACING / 10), ABOVE, LAMP, gloss=0)
    left, top, width, height = sprite.box
    assert abs(left - 70) <= 1 and abs(top - 70) <= 1 and abs(width - 60) <= 2 and abs(height - 60) <= 2
    inside = opaque(sprite)[top - sprite.top + 1 : top - sprite.top + height - 1, left - sprite.left + 1 : left - sprite.left + width - 1]
    assert inside.all()


def test_near_hides_far_and_backs_are_not_seen() -> None:
    low, high = square(8, 0, GREEN), square(3, 2, RED)
    for cloud in (low.join(high), high.join(low)):
        sprite = look(cloud, ABOVE, LAMP, gloss=0)
        pixels = np.asarray(sprite.image.convert("RGB")).astype(int)
        middle = pixels[100 - sprite.top, 100 - sprite.left]
        edge = pixels[100 - sprite.top, 100 + 30 - sprite.left]
        assert middle[0] > 100 > middle[1] and edge[1] > 100 > edge[0]
    from_behind = look(low.join(square(3, 2, RED, up=-1.0)), ABOVE, LAMP, gloss=0)
    middle = np.asarray(from_behind.image.convert("RGB")).astype(int)[100 - from_behind.top, 100 - from_behind.left]
    assert middle[1] > 100 > middle[0], "the square that looks down is not there"


def test_light_makes_bright_and_gloss_makes_brighter() -> None:
    def _brightness(light: Light, gloss: float) -> float:
        sprite = look(square(6, 0, (120, 120, 120)), ABOVE, light, gloss)
        return float(np.asarray(sprite.image.convert("RGB"))[opaque(sprite)].mean())

    aslant = Light(np.array([0.96, 0, 0.28], dtype=np.float32))
    assert _brightness(LAMP, 0) > _brightness(aslant, 0) + 20
    assert _brightness(LAMP, 0.4) > _brightness(LAMP, 0) + 20
    assert _brightness(Light(LAMP.towards, ambient=0.2), 0) < _brightness(LAMP, 0)


def test_a_warm_lamp_reddens() -> None:
    sprite = look(square(6, 0, (120, 120, 120)), ABOVE, Light(LAMP.towards, tint=(1.2, 1.0, 0.8)), 0)
    red, green, blue = np.asarray(sprite.image.convert("RGB"))[opaque(sprite)].mean(axis=0)
    assert red > green > blue


def test_blur_softens_the_edge() -> None:
    def _half_opaque(blur: float) -> int:
        alpha = np.asarray(look(square(6, 0, RED), ABOVE, LAMP, 0, blur).image.getchannel("A"))
        return int(((alpha > 10) & (alpha < 245)).sum())

    assert _half_opaque(2.0) > 1.5 * _half_opaque(0.0)


def test_a_shadow_falls_away_from_the_lamp_and_nowhere_else() -> None:
    size = (400, 400)
    camera = Camera.at(90, 100, 10, (200, 200))
    lamp = Light(np.array([0.6, 0, 0.8], dtype=np.float32))  # from the right
    dark = np.asarray(shadow(square(4, 8, RED), camera, lamp, size, blur=4))
    assert dark.shape == (400, 400) and dark.max() > 200
    columns = np.flatnonzero(dark.max(axis=0) > 100)
    assert columns.mean() == pytest.approx(200 - 10 * 8 * 0.6 / 0.8, abs=8), "8 cm above the plane, at that slope"
    assert dark[:, 250:].max() == 0 and dark[:40].max() == 0


def test_the_higher_the_ground_the_nearer_the_shadow() -> None:
    camera, lamp = Camera.at(90, 100, 10, (200, 200)), Light(np.array([0.6, 0, 0.8], dtype=np.float32))

    def _middle(ground: float) -> float:
        return float(np.flatnonzero(np.asarray(shadow(square(4, 8, RED), camera, lamp, (400, 400), 4, ground)).max(axis=0) > 100).mean())

    assert _middle(0) + 20 < _middle(4) < 200


def test_what_the_camera_adds_follows_the_seed_and_is_little() -> None:
    grey = Image.new("RGB", (120, 90), (128, 128, 128))
    one, same, other = (np.asarray(finish(grey, np.random.default_rng(seed), (1, 1, 1))).astype(int) for seed in (0, 0, 1))
    assert one.shape == (90, 120, 3) and (one == same).all() and (one != other).any()
    assert abs(one.mean() - 128) < 2 and 0.5 < one.std() < 5
    red, _, blue = np.asarray(finish(grey, np.random.default_rng(0), (1.2, 1.0, 0.8))).astype(int).mean(axis=(0, 1))
    assert red > 128 + 8 and blue < 128 - 8
