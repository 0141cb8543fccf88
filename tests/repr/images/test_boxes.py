"""Boxes on images that were shrunk or turned since: the crop shows the same, checked on the pixels."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest
from PIL import Image

from repr.images.boxes import DrawnBox, placed
from repr.images.reader import Unreadable, read_image, upright_box


def photograph(turn: int = 1, size: tuple[int, int] = (120, 80)) -> bytes:
    """A red half on the left and a blue one on the right, as stored, with an orientation."""
    image = Image.new("RGB", (120, 80), "red")
    image.paste((0, 0, 255), (60, 0, 120, 80))
    exif = Image.Exif()
    exif[0x0112] = turn
    out = io.BytesIO()
    image.resize(size).save(out, "JPEG", quality=95, exif=exif)
    return out.getvalue()


RED, BLUE = (8.0, 14.0, 44.0, 52.0), (68.0, 14.0, 44.0, 52.0)  # on the stored image


@pytest.mark.parametrize("turn", [1, 5, 6, 7, 8])
@pytest.mark.parametrize("size", [(120, 80), (96, 64), (40, 27)])
def test_a_box_on_the_stored_image_is_turned_and_shrunk_with_it(turn: int, size: tuple[int, int]) -> None:
    for box, channel in ((RED, 0), (BLUE, 2)):
        crop = read_image(photograph(turn, size), box=DrawnBox(box, (120, 80)), margin=0)
        mean = np.asarray(crop).reshape(-1, 3).mean(axis=0)
        assert mean[channel] > 200 and mean[2 - channel] < 50


@pytest.mark.parametrize("turn", [5, 6, 7, 8])
def test_a_box_on_the_upright_image_stays(turn: int) -> None:
    assert placed(DrawnBox(RED, (80, 120)), (120, 80), turn) == RED


@pytest.mark.parametrize("turn", [2, 3, 4])
def test_where_the_sizes_do_not_tell_it_is_said(turn: int) -> None:
    with pytest.raises(Unreadable, match=rf"EXIF tag turns it \({turn}\)"):
        read_image(photograph(turn), box=DrawnBox((8.0, 5.0, 44.0, 52.0), (120, 80)))  # RED is as far from the top as from the bottom
    read_image(photograph(turn), box=RED)  # a box without a size is on the upright image


@pytest.mark.parametrize("turn", [2, 3, 4, 5, 6, 7, 8])
def test_a_box_that_is_the_same_either_way_is_placed(turn: int) -> None:
    whole, middle = (0.0, 0.0, 80.0, 80.0), (20.0, 20.0, 40.0, 40.4)
    assert placed(DrawnBox(whole, (80, 80)), (80, 80), turn) == whole
    assert placed(DrawnBox(middle, (80, 80)), (40, 40), turn) == pytest.approx([side / 2 for side in middle])


@pytest.mark.parametrize(("turn", "moves"), [(2, (True, False)), (3, (True, True)), (4, (False, True))])
def test_a_box_is_the_same_where_its_mirror_is(turn: int, moves: tuple[bool, bool]) -> None:
    """Off the middle across, a box moves by the turns that mirror across, and by the others it does not; so down."""
    for axis in (0, 1):
        box = (0.0, 40.0, 30.0, 20.0) if axis == 0 else (30.0, 0.0, 40.0, 20.0)
        pixels = placed(DrawnBox(box, (100, 100)), (100, 100), turn)
        assert isinstance(pixels, str) == moves[axis], pixels


def test_another_shape_is_said() -> None:
    with pytest.raises(Unreadable, match=r"120 × 80 pixels, where its records say 200 × 100: the box cannot be placed"):
        read_image(photograph(), box=DrawnBox(RED, (200, 100)))


def test_the_box_for_an_index_is_on_the_upright_image() -> None:
    assert upright_box(photograph(6), DrawnBox(RED, (120, 80))) == (80 - 14 - 52, 8, 52, 44)
    assert upright_box(photograph(), DrawnBox(RED, (120, 80))) == RED


def test_it_is_a_tuple_and_travels_between_processes() -> None:
    box = DrawnBox(RED, (120, 80))
    again = pickle.loads(pickle.dumps(box))
    assert again == RED and again.size == (120, 80)
