"""The reader against images made in every mode, and against RPC's own files."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image, UnidentifiedImageError

from repr.errors import UserError
from repr.images import reader
from repr.images.formats import FORMATS
from repr.images.reader import Unreadable, crop_square, ending, header, name_of, read_image, shorter_side, square

RED, WHITE = (255, 0, 0), (255, 255, 255)


def arrow(width: int = 60, height: int = 40) -> Image.Image:
    """An image without symmetry: red left half, green bottom edge, blue top left corner."""
    image = Image.new("RGB", (width, height), "white")
    image.paste(RED, (0, 0, width // 2, height))
    image.paste((0, 160, 0), (0, height - 10, width, height))
    image.paste((0, 0, 255), (0, 0, 10, 10))
    return image


def array(image: Image.Image) -> np.ndarray[Any, Any]:
    return np.asarray(image).astype(int)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_exif_orientation_is_undone(tmp_path: Path, orientation: int, kind: str) -> None:
    upright = arrow()
    inverse = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]  # PIL's Transpose numbers that undo each
    stored = upright if inverse is None else upright.transpose(Image.Transpose(inverse))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / f"p.{kind}", exif=exif, **({"quality": 95, "subsampling": 0} if kind == "jpg" else {}))
    read = read_image(tmp_path / f"p.{kind}")
    assert read.size == upright.size and read.mode == "RGB"
    assert np.abs(array(read) - array(upright)).mean() < 2


def test_a_box_counts_in_the_upright_image(tmp_path: Path) -> None:
    upright = arrow(400, 300)
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "p.jpg", exif=exif, quality=95, subsampling=0)
    crop = read_image(tmp_path / "p.jpg", box=(0, 290, 10, 10), margin=0)
    assert crop.size == (10, 10)
    assert np.abs(array(crop) - (0, 160, 0)).max() < 12
    with pytest.raises(Unreadable, match="no part in the image"):
        read_image(tmp_path / "p.jpg", box=(0, 350, 10, 10), short_side=4)


def test_transparency_is_set_on_white(tmp_path: Path) -> None:
    layer = Image.new("RGBA", (4, 2), (*RED, 255))
    layer.putpixel((0, 0), (*RED, 0))
    layer.putpixel((1, 0), (*RED, 128))
    layer.save(tmp_path / "rgba.png")
    read = read_image(tmp_path / "rgba.png")
    assert read.getpixel((0, 0)) == WHITE
    assert read.getpixel((1, 0)) == (255, 127, 127)
    assert read.getpixel((2, 0)) == RED

    grey = Image.new("LA", (2, 1), (0, 0))
    grey.putpixel((1, 0), (100, 255))
    grey.save(tmp_path / "la.png")
    read = read_image(tmp_path / "la.png")
    assert read.getpixel((0, 0)) == WHITE and read.getpixel((1, 0)) == (100, 100, 100)


@pytest.mark.parametrize("transparency", [0, b"\x00\xff"])
def test_palettes(tmp_path: Path, transparency: Any) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 255, 255, 0, 0])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "plain.png")
    image.save(tmp_path / "see_through.png", transparency=transparency)
    image.save(tmp_path / "p.gif", transparency=0)
    assert read_image(tmp_path / "plain.png").getpixel((0, 0)) == (0, 0, 255)
    for name in ("see_through.png", "p.gif"):
        assert read_image(tmp_path / name).getpixel((0, 0)) == WHITE
        assert read_image(tmp_path / name).getpixel((1, 0)) == RED


def test_one_colour_of_an_rgb_png_can_be_transparent(tmp_path: Path) -> None:
    arrow().save(tmp_path / "p.png", transparency=RED)
    assert read_image(tmp_path / "p.png").getpixel((15, 15)) == WHITE


@pytest.mark.parametrize("mode", ["1", "L", "CMYK", "YCbCr", "RGB"])
@pytest.mark.parametrize("kind", ["jpg", "tif"])
def test_plain_modes(tmp_path: Path, mode: str, kind: str) -> None:
    if mode == "YCbCr" and kind == "tif":
        pytest.skip("Pillow does not write it")
    image = arrow().convert(mode, dither=Image.Dither.NONE)
    image.save(tmp_path / f"p.{kind}", **({"quality": 95, "subsampling": 0} if kind == "jpg" else {}))
    read = read_image(tmp_path / f"p.{kind}")
    assert read.mode == "RGB"
    assert np.abs(array(read) - array(image.convert("RGB"))).mean() < 3


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    for name in ("p.png", "p.tif"):
        Image.fromarray(ramp).save(tmp_path / name)
        assert np.abs(array(read_image(tmp_path / name))[..., 0] - ramp / 257).max() <= 0.5
    big_endian = b"P5 16 16 65535\n" + ramp.astype(">u2").tobytes()
    (tmp_path / "p.pgm").write_bytes(big_endian)
    assert np.abs(array(read_image(tmp_path / "p.pgm"))[..., 0] - ramp / 257).max() <= 0.5


@pytest.mark.parametrize(("top", "expected"), [(1.0, 255), (200.0, 200), (65535.0, 255), (1e9, 255)])
def test_float_grey_is_scaled_by_the_range_it_fits(tmp_path: Path, top: float, expected: int) -> None:
    values = np.zeros((3, 3), np.float32)
    values[0] = [top, np.nan, -5]
    Image.fromarray(values).save(tmp_path / "p.tif")
    assert array(read_image(tmp_path / "p.tif"))[0, :, 0].tolist() == [expected, 0, 0]


def test_every_format_is_known_to_pillow() -> None:
    Image.init()
    assert set(FORMATS) <= set(Image.OPEN)


def test_mpo_of_a_phone_is_read_and_drafted(tmp_path: Path) -> None:
    arrow(640, 480).save(tmp_path / "p.jpg", format="MPO", save_all=True, append_images=[arrow(640, 480)])
    assert read_image(tmp_path / "p.jpg").size == (640, 480)
    assert read_image(tmp_path / "p.jpg", short_side=60).size == (80, 60)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP"])
def test_content_decides_not_the_extension(tmp_path: Path, kind: str) -> None:
    arrow().save(tmp_path / "p.txt", format=kind)
    assert read_image(tmp_path / "p.txt").size == (60, 40)


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    files = {
        "empty.jpg": (b"", "an empty file"),
        "page.jpg": (b"<!DOCTYPE html>", "not an image, or broken at its start .*DOCTYPE"),
        "phone.jpg": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "heic file.*convert it"),
        "script.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
    }
    for name, (content, reason) in files.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(Unreadable, match=reason):
            read_image(tmp_path / name)
    with pytest.raises(Unreadable, match="no such file"):
        read_image(tmp_path / "absent.jpg")
    with pytest.raises(Unreadable, match="is a directory"):
        read_image(tmp_path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_truncated_file_is_unreadable_wherever_it_ends(tmp_path: Path, kind: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    noise.save(tmp_path / "p", format=kind)
    whole = (tmp_path / "p").read_bytes()
    assert read_image(tmp_path / "p").size == (64, 64)
    for share in (0.02, 0.1, 0.5, 0.9):
        (tmp_path / "cut").write_bytes(whole[: int(len(whole) * share)])
        for options in ({}, {"short_side": 8}):
            with pytest.raises(Unreadable) as caught:
                read_image(tmp_path / "cut", **options)
            assert caught.value.reason


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_damaged_bytes_never_raise_anything_else(tmp_path: Path) -> None:
    chance = random.Random(0)
    for kind in ("JPEG", "PNG", "GIF", "TIFF", "WEBP"):
        arrow().save(tmp_path / "p", format=kind)
        whole = (tmp_path / "p").read_bytes()
        for _ in range(60):
            damaged = bytearray(whole)
            for _ in range(chance.randint(1, 8)):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            (tmp_path / "damaged").write_bytes(damaged)
            try:
                read = read_image(tmp_path / "damaged", short_side=16)
            except Unreadable as error:
                assert error.reason
            else:
                assert read.mode == "RGB"


def test_pixel_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("1", (20_000, 10_000)).save(tmp_path / "bomb.png")  # 25 kB that would be 600 MB
    with pytest.raises(Unreadable, match="bound of 178,956,970"):
        read_image(tmp_path / "bomb.png")
    arrow().save(tmp_path / "p.png")
    with pytest.raises(Unreadable, match="crop around the box would be 24000 × 24000"):
        crop_square(Image.new("1", (20_000, 10)), (0, 0, 20_000, 10))
    monkeypatch.setattr(reader, "MAX_PIXELS", 60 * 40 - 1)
    with pytest.raises(Unreadable, match="60 × 40 pixels, over the bound"):
        read_image(tmp_path / "p.png")


def test_crop_takes_context_shifts_inside_and_fills_white() -> None:
    image = arrow(100, 60)
    crop = crop_square(image, (40, 20, 20, 10), margin=0.1)
    assert crop.size == (24, 24)
    assert np.array_equal(array(crop), array(image.crop((38, 13, 62, 37))))
    at_the_edge = crop_square(image, (0, 0, 20, 20), margin=0.25)
    assert np.array_equal(array(at_the_edge), array(image.crop((0, 0, 30, 30))))
    wide = crop_square(image, (0, 20, 100, 20), margin=0)
    assert wide.size == (100, 100)
    assert (array(wide)[:20] == 255).all() and (array(wide)[80:] == 255).all()
    assert np.array_equal(array(wide)[20:80], array(image))
    hanging_out = crop_square(image, (-30, -30, 50, 50), margin=0)
    assert np.array_equal(array(hanging_out), array(image.crop((0, 0, 20, 20))))


@given(
    st.tuples(st.integers(1, 80), st.integers(1, 80)),
    st.tuples(*[st.floats(-50, 120)] * 2, *[st.floats(0.1, 150)] * 2),
    st.floats(0, 1),
)
def test_crop_is_a_square_that_holds_the_visible_part_of_the_box(
    size: tuple[int, int], box: tuple[float, float, float, float], margin: float
) -> None:
    x, y, w, h = box
    black = Image.new("RGB", size)
    visible = (min(x + w, size[0]) - max(x, 0), min(y + h, size[1]) - max(y, 0))
    if min(visible) <= 0:
        with pytest.raises(Unreadable):
            crop_square(black, box, margin=margin)
        return
    crop = crop_square(black, box, margin=margin)
    side = max(visible) * (1 + 2 * margin)
    assert crop.width == crop.height == max(1, round(side))
    assert (array(crop) == 0).any()
    if side <= min(size) - 1:  # it fits: nothing of it lies outside
        assert (array(crop) == 0).all()


def test_fits() -> None:
    image = Image.new("RGB", (40, 20), "white")
    image.paste(RED, (10, 0, 30, 20))
    assert (square(image, 20, "crop") == RED).all()
    padded = square(Image.new("RGB", (40, 20), RED), 40, "pad")
    assert (padded[:10] == 255).all() and (padded[30:] == 255).all() and (padded[10:30] == RED).all()
    squashed = square(image, 20, "squash")
    assert (squashed[:, 0] == 255).all() and (squashed[:, 10] == RED).all()
    for fit in ("crop", "pad", "squash"):
        assert square(Image.new("RGB", (1, 300)), 7, fit).shape == (7, 7, 3)
        assert square(Image.new("RGB", (3, 2)), 64, fit).dtype == np.uint8


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("box", [None, (5, 20, 30, 10)])
def test_a_file_its_bytes_and_its_pixels_are_read_alike(tmp_path: Path, kind: str, box: Any) -> None:
    """Also an image of Pillow's, opened and not decoded yet; and nothing of the caller's is changed."""
    file = tmp_path / "p"
    exif = Image.Exif()
    exif[0x0112] = 6
    arrow().transpose(Image.Transpose.ROTATE_90).save(file, format=kind, exif=exif)
    expected = read_image(file, box=box)
    pixels = np.asarray(read_image(file)).copy()
    with Image.open(file) as lazy, Image.open(file) as loaded:
        loaded.load()
        before = loaded.size, loaded.mode, loaded.getexif()[0x0112]
        for source in (str(file), file.read_bytes(), lazy, loaded, pixels, Image.fromarray(pixels)):
            assert np.array_equal(array(read_image(source, box=box)), array(expected)), type(source)
        assert (loaded.size, loaded.mode, loaded.getexif()[0x0112]) == before
    assert np.array_equal(pixels, np.asarray(read_image(file)))


def test_bytes_are_drafted_as_the_file_and_an_image_of_the_caller_s_is_not(tmp_path: Path) -> None:
    arrow(640, 480).save(tmp_path / "p.jpg")
    drafted = read_image(tmp_path / "p.jpg", short_side=60)
    assert np.array_equal(array(read_image((tmp_path / "p.jpg").read_bytes(), short_side=60)), array(drafted))
    with Image.open(tmp_path / "p.jpg") as image:
        assert read_image(image, short_side=60).size == (640, 480) and drafted.size == (80, 60)


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))), st.booleans())
def test_pixels_come_back_as_they_are(pixels: np.ndarray[Any, Any], mirrored: bool) -> None:
    pixels = pixels[:, ::-1] if mirrored else pixels  # not in one piece of memory
    assert np.array_equal(np.asarray(read_image(pixels)), pixels)
    assert shorter_side(pixels) == min(pixels.shape[:2])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (np.zeros((4, 4, 3)), r"float64 pixels of shape \(4, 4, 3\)"),
        (np.zeros((4, 4), np.uint8), r"shape \(4, 4\)"),
        (np.zeros((4, 4, 4), np.uint8), r"shape \(4, 4, 4\)"),
        (np.zeros((2, 4, 4, 3), np.uint8), r"shape \(2, 4, 4, 3\)"),
        (np.zeros((0, 4, 3), np.uint8), r"shape \(0, 4, 3\)"),
        (None, "given as NoneType"),
        (7, "given as int"),
    ],
)
def test_what_is_no_image_is_an_error_of_the_caller_s(source: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as raised:
        read_image(source)
    assert "uint8" in raised.value.remedy


def test_bytes_that_are_no_image_say_why() -> None:
    for content, reason in ((b"", "empty"), (b"no image", "begins with b'no image'"), (b"\0\0\0\x18ftypheic\0\0\0\0mif1", "heic file")):
        with pytest.raises(Unreadable, match=reason):
            read_image(content)


def test_the_shorter_side_is_read_from_the_header(tmp_path: Path) -> None:
    arrow(400, 300).save(tmp_path / "p.jpg")
    whole = (tmp_path / "p.jpg").read_bytes()
    assert shorter_side(tmp_path / "p.jpg") == shorter_side(whole) == 300
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    assert shorter_side(tmp_path / "cut.jpg") == 300
    with pytest.raises(Unreadable, match="no such file"):
        shorter_side(tmp_path / "none.jpg")


def test_names_for_words() -> None:
    assert [name_of(source, 4) for source in ("a/b.jpg", Path("c.png"), b"", arrow())] == ["a/b.jpg", "c.png", "image 5", "image 5"]


def exemplars(shared: Path) -> list[tuple[Path, tuple[float, float, float, float]]]:
    folder = shared / "rpc_exemplars"
    with (folder / "exemplars.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [(folder / row["file"], (float(row["box_x"]), float(row["box_y"]), float(row["box_w"]), float(row["box_h"]))) for row in rows]


def test_draft_decoding_of_exemplars_gives_nearly_the_same_crop(shared: Path) -> None:
    """RPC's 2592 × 1944 JPEGs: the fast way against the full one, for whole images and for boxes."""
    for file, box in exemplars(shared)[:6]:
        fast = read_image(file, short_side=64)
        assert 64 <= min(fast.size) < 1944
        difference = np.abs(square(fast, 64).astype(int) - square(read_image(file), 64))
        assert difference.mean() < 1.5
        drafted = read_image(file, short_side=64, box=box)
        full = read_image(file, box=box)
        assert drafted.width >= 64 or drafted.width == full.width
        difference = np.abs(square(drafted, 64).astype(int) - square(full, 64))
        assert difference.mean() < 5, file.name


@pytest.mark.parametrize(("kind", "end"), [("JPEG", ".jpg"), ("PNG", ".png"), ("WEBP", ".webp"), ("GIF", ".gif"), ("BMP", ".bmp")])
def test_a_file_says_what_it_is_at_its_start(kind: str, end: str) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (7, 5)).save(stream, kind)
    data = stream.getvalue()
    assert header(data) == (7, 5, kind, False) and ending(data) == end
    assert ending(b"no image") == ending(b"") == ""
    with pytest.raises(UnidentifiedImageError):
        header(b"no image")


def test_what_moves_is_told() -> None:
    stream = io.BytesIO()
    first, second = (Image.new("RGB", (7, 5), colour) for colour in ("red", "blue"))
    first.save(stream, "GIF", save_all=True, append_images=[second])
    assert header(stream.getvalue()).animated
