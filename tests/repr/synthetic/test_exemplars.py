"""Exemplars: shots spread over cameras and turns, one product small in the frame, and a box that holds its pixels."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from repr.synthetic.exemplars import SIZE, TURNS, Shot, draw_exemplars, rest, shots
from repr.synthetic.identity import Product, skus
from repr.synthetic.vocabulary import FORMS


def product(form: str) -> Product:
    return replace(skus(0)[1], form_name=form, scale=1.0)


def recoloured(product: Product) -> Product:
    """The same package, printed otherwise."""
    other = next(p for p in skus(0).values() if p.brand.base != product.brand.base and p.flavour != product.flavour)
    return replace(product, brand=other.brand, flavour=other.flavour, look=product.look + 1)


def drawn(product: Product, *wanted: Shot, seed: int = 0) -> list[tuple[Image.Image, tuple[int, int, int, int]]]:
    return draw_exemplars(product, list(wanted), np.random.default_rng(seed))


@given(st.sampled_from(sorted(FORMS)), st.integers(1, 60), st.integers(0, 99))
def test_shots_are_different_and_spread_evenly(form: str, count: int, seed: int) -> None:
    chosen = shots(product(form), count, np.random.default_rng(seed))
    assert len(set(chosen)) == len(chosen) == count
    assert chosen == sorted(chosen, key=lambda shot: (shot.back, shot.camera, shot.turn))
    assert all(0 <= shot.camera < 4 and 1 <= shot.turn <= TURNS for shot in chosen)
    cameras = Counter(shot.camera for shot in chosen)
    assert max(cameras.values()) - min(cameras[camera] for camera in range(4)) <= 1
    backs = sum(shot.back for shot in chosen)
    assert abs(backs - count / 3) <= 4 if FORMS[form].backs else backs == 0


def test_shots_follow_the_generator() -> None:
    first, same, other = (shots(product("bag"), 12, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert first == same != other


@pytest.mark.parametrize("form", FORMS)
def test_how_it_rests(form: str) -> None:
    """Package axes: y up, z out of the front. What stands, stands; the rest lies on its back, or on its face for the other side."""
    item = product(form)
    up, front = rest(item, back=False) @ (0, 1, 0), rest(item, back=False) @ (0, 0, 1)
    assert (up if item.form.stands else front)[2] == pytest.approx(1, abs=1e-6)
    turned_up, turned_front = rest(item, back=True) @ (0, 1, 0), rest(item, back=True) @ (0, 0, 1)
    if item.form.stands and item.form.solid == "round":
        assert turned_up[2] == pytest.approx(-1, abs=1e-6), "on its head"
    else:
        assert turned_front[2] == pytest.approx(-1, abs=1e-6), "on its face"


@pytest.mark.parametrize("form", ["bag", "stick", "bowl", "pen", "roll pack", "tube", "milk carton", "soft pack"])
def test_the_product_is_small_in_the_frame(form: str) -> None:
    """Its box covers 0.6 to 10 % of the image, as RPC's exemplars do, whatever its size."""
    for image, (x, y, width, height) in drawn(product(form), *(Shot(False, camera, 7) for camera in range(4))):
        assert image.size == SIZE and image.mode == "RGB"
        assert 0.006 <= width * height / (SIZE[0] * SIZE[1]) <= 0.10
        assert x >= 0 and y >= 0 and x + width <= SIZE[0] and y + height <= SIZE[1]


@pytest.mark.parametrize("form", ["bag", "box", "bottle", "tube", "bar"])
@pytest.mark.parametrize("camera", range(4))
def test_the_box_holds_the_products_pixels_and_no_more(form: str, camera: int) -> None:
    """Printed otherwise, the image changes within the box alone, and up to its sides."""
    item, shot = product(form), Shot(False, camera, 12)
    ((one, box),), ((other, other_box),) = drawn(item, shot), drawn(recoloured(item), shot)
    assert box == other_box
    changed = np.abs(np.asarray(one).astype(int) - np.asarray(other).astype(int)).max(axis=2) > 12
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    x, y, width, height = box
    left, top, right, bottom = columns[0] - x, rows[0] - y, x + width - 1 - columns[-1], y + height - 1 - rows[-1]
    assert min(left, top, right, bottom) >= -2, "half a pixel shines through at the edge"
    assert max(left, right) < 0.2 * width + 3 and max(top, bottom) < 0.25 * height + 3


def test_a_shot_follows_the_generator() -> None:
    shot = Shot(False, 1, 5)
    (first, box), (other, _) = drawn(product("bag"), shot)[0], drawn(product("bag"), shot, seed=1)[0]
    again, same_box = drawn(product("bag"), shot)[0]
    assert first.tobytes() == again.tobytes() != other.tobytes() and box == same_box


def test_cameras_and_turns_and_sides_show_otherwise() -> None:
    item = product("box")
    (front, _), (turned, _), (back, _) = drawn(item, Shot(False, 2, 1), Shot(False, 2, 11), Shot(True, 2, 1))
    assert np.abs(np.asarray(front).astype(int) - np.asarray(turned)).max() > 60
    assert np.abs(np.asarray(front).astype(int) - np.asarray(back)).max() > 60
    corners = [np.asarray(image)[:20, -20:].mean() for image, _ in drawn(item, *(Shot(False, camera, 1) for camera in range(4)))]
    assert np.ptp(corners) > 5, "four cameras, four rooms"


def test_from_above_a_standing_box_is_as_large_as_its_top() -> None:
    """13 x 5 cm at 7.6 pixels a centimetre, nearer to the camera by its height of 17 cm (of 78), unless it would be too small."""
    ((_, (_, _, width, height)),) = drawn(product("box"), Shot(False, 2, 40))
    assert width / height == pytest.approx(13 / 5, rel=0.3)
    assert width == pytest.approx(13 * 7.6 * 78 / (78 - 17), rel=0.1)
