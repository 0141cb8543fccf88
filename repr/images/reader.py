"""The one reader of images: a file, its bytes, or pixels in memory become an upright RGB image, or Unreadable with the reason.

Nothing else in this project opens an image file, so that an image looks the same to whoever asks for it.
"""

from __future__ import annotations

import errno
import io
import logging
import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from repr.arrays import Pixels
from repr.errors import UserError
from repr.images.boxes import Box, placed
from repr.images.formats import FORMATS
from repr.images.frames import Frame

log = logging.getLogger(__name__)

# An image as callers have it: the path of a file, the bytes of one, an image of Pillow's, or (h, w, 3) uint8 pixels.
ImageLike = str | os.PathLike[str] | bytes | Image.Image | Pixels
Fit = Literal["crop", "pad", "squash"]

END = b"\xff\xd9"  # of a JPEG
FILLERS = (b"", *(bytes([value]) * 64 for value in (0x00, 0x3C, 0x55, 0xA3)))  # no two decode to the same
PASSING_NUMBERS = (
    *(errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.EBUSY, errno.EMFILE),
    *(errno.ENFILE, errno.ENODEV, errno.ENXIO, errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENOTCONN, errno.ECONNRESET),
)
PASSING = frozenset(os.strerror(number).lower() for number in PASSING_NUMBERS)
KINDS = "Give a path, the bytes of a file, an image of Pillow's, or uint8 pixels (height, width, 3)"
MAX_PIXELS = 178_956_970  # Pillow's own bound for a decompression bomb (2 × Image.MAX_IMAGE_PIXELS, 0.5 GiB of RGB)
MARGIN = 0.1  # of the box's longer side, on every side
ORIENTATION = 0x0112  # EXIF tag; 2..8 say how to turn the stored image upright
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


# Pillow warns of large images and of odd metadata; MAX_PIXELS decides, and broken metadata is no news. Set once and not around
# each call, since images are read in several threads and `catch_warnings` is not safe there.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", module=r"PIL\.")


class Unreadable(Exception):
    """An image that cannot be had, with the reason. Not a user's error: the run goes on and counts it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_image(source: ImageLike, *, short_side: int | None = None, box: Box | None = None, margin: float = MARGIN) -> Image.Image:
    """An image, upright, RGB, transparency on white; with a box, the square crop around it.

    source: a path, the bytes of a file, an image of Pillow's (turned by the orientation that it carries, if it does), or pixels
    (h, w, 3) uint8.
    short_side: the size in pixels wanted of the shorter side (of the crop's side with a box). It is a hint: a big JPEG file
    is then decoded at a half, a quarter or an eighth, but never below that size. Nothing is resized to it.
    box: x, y, w, h in pixels of the upright image, or a `DrawnBox` of another size or turn, which is placed on it. The crop is
    `crop_square` of it.
    A JPEG that lacks only its end marker is read, and that is logged.
    Raises Unreadable with the reason: no such file, not an image, truncated, over MAX_PIXELS, box outside the image; and UserError
    for what is none of these kinds, such as pixels of another type.
    """
    with _opened(source) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise Unreadable(f"{width} × {height} pixels, over the bound of {MAX_PIXELS:,}")
        if box is not None:
            box = _placed(box, image)
        if short_side and image is not source:  # an image of the caller's stays as large as it is
            side = min(width, height) if box is None else _crop_side(box, image, margin)
            scale = short_side / max(side, 1.0)
            size = max(1, math.ceil(width * scale)), max(1, math.ceil(height * scale))
            image.draft(None, size)
        else:
            size = None
        image = _loaded(image, source, size)
        shrunk = 1 / round(width / image.size[0])  # the exact factor; the sizes themselves are rounded up
        upright = _upright(_rgb(image), _orientation(image))
    return upright if box is None else crop_square(upright, box, margin=margin, shrunk=shrunk)


class Header(NamedTuple):
    """What a file says of itself before a pixel is decoded: width and height in pixels, the format's name, whether it moves."""

    width: int
    height: int
    format: str
    animated: bool


def header(data: bytes) -> Header:
    """What the bytes of a file say at their start.

    Raises what Pillow does: UnidentifiedImageError for what is no image, Image.DecompressionBombError for far too many pixels, and
    whatever a broken start makes it trip over.
    """
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        return Header(*image.size, image.format or "", bool(getattr(image, "is_animated", False)))


def ending(data: bytes) -> str:
    """The usual ending of a file of these bytes, such as ".jpg"; "" where it cannot be told, which reading the image then does."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return f".{(image.format or '').lower()}".replace(".jpeg", ".jpg")
    except Exception:  # decoders raise whatever a broken file makes them trip over
        return ""


def upright_box(source: ImageLike, box: Box) -> Box:
    """A box that was drawn on an image, on the upright image as it is now. Raises as `read_image` does."""
    with _opened(source) as image:
        return _placed(box, image)


def _placed(box: Box, image: Image.Image) -> Box:
    if image.format not in ("JPEG", "MPO"):
        image.load()  # others may have to be decoded to find their EXIF data
    pixels = placed(box, image.size, _orientation(image))
    if isinstance(pixels, str):
        raise Unreadable(pixels)
    return pixels


def _loaded(image: Image.Image, source: ImageLike, size: tuple[int, int] | None) -> Image.Image:
    """The image decoded; a JPEG without its end marker by the file with one, if nothing else is missing. size: as of its draft.

    Where data are missing before the marker, they are made up by the decoder from what stands there instead, and differ with it.
    """
    try:
        image.load()
    except OSError as error:
        if image.format not in ("JPEG", "MPO") or error.errno or not isinstance(source, str | os.PathLike | bytes):
            raise
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
        first, *others = [_ended(data + filler + END, size) for filler in FILLERS]
        if any(other.tobytes() != first.tobytes() for other in others):
            raise
        log.info(f"{name_of(source, 0)}: lacks its end marker; all of the image is there, and read")
        return first
    return image


def _ended(data: bytes, size: tuple[int, int] | None) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    if size:
        image.draft(None, size)
    image.load()
    return image


def passing(reason: str) -> bool:
    """Whether the reason of an Unreadable may have passed when the same file is tried again: no permission, a disk that did not answer."""
    return reason in PASSING


def shorter_side(source: ImageLike) -> int:
    """The shorter side of an image in pixels, by a file's header alone. Raises as `read_image` does."""
    with _opened(source) as image:
        return min(image.size)


def name_of(source: ImageLike, position: int) -> str:
    """What to call an image in words: its path; without one, its place among those that were given, from 1."""
    return os.fspath(source) if isinstance(source, str | os.PathLike) else f"image {position + 1}"


@contextmanager
def _opened(source: ImageLike) -> Iterator[Image.Image]:
    """The image, not decoded yet. Whatever goes wrong with it, here or in the block, becomes Unreadable."""
    try:
        if isinstance(source, Image.Image):
            yield source
        elif isinstance(source, np.ndarray):
            yield _of_pixels(source)
        elif isinstance(source, str | os.PathLike | bytes):
            with Image.open(io.BytesIO(source) if isinstance(source, bytes) else Path(source), formats=FORMATS) as image:
                yield image
        else:
            raise UserError(f"an image given as {type(source).__name__}", "", KINDS)
    except (Unreadable, UserError, MemoryError):
        raise
    except FileNotFoundError:
        raise Unreadable("no such file") from None
    except UnidentifiedImageError:
        raise Unreadable(_unknown(source)) from None
    except Image.DecompressionBombError:
        raise Unreadable(f"more pixels than the bound of {MAX_PIXELS:,}") from None
    except Exception as error:  # decoders raise whatever a broken file makes them trip over (SyntaxError, struct.error, …)
        raise Unreadable(_reason(error)) from None


def _of_pixels(pixels: npt.NDArray[np.generic]) -> Image.Image:
    """The image of (h, w, 3) uint8 pixels."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise UserError(f"an image as {pixels.dtype} pixels of shape {pixels.shape}", "", KINDS)
    return Image.fromarray(np.ascontiguousarray(pixels))


def crop_square(image: Image.Image, box: Box, *, margin: float = MARGIN, shrunk: float = 1.0) -> Image.Image:
    """The square around a box: its longer side and `margin` of it on every side, with the image's own surroundings.

    A square that reaches over the edge is shifted inside; where it is larger than the image, the rest is white.
    shrunk: size of `image` in units of the image that the box was measured on (below 1 after draft decoding).
    Raises Unreadable when no part of the box lies in the image, or the square is over MAX_PIXELS.
    """
    width, height = image.size
    x, y, w, h = box
    x, y, side = _square((x * shrunk, y * shrunk, w * shrunk, h * shrunk), width, height, margin)
    edge = max(1, round(side))
    if edge * edge > MAX_PIXELS:
        raise Unreadable(f"the crop around the box would be {edge} × {edge} pixels, over the bound of {MAX_PIXELS:,}")
    if shrunk == 1.0:
        x, y, side = round(x), round(y), edge
    x = (width - side) / 2 if side > width else min(max(x, 0.0), width - side)
    y = (height - side) / 2 if side > height else min(max(y, 0.0), height - side)
    left, top = math.floor(x), math.floor(y)
    region = (left, top, max(left + edge, math.ceil(x + side)), max(top + edge, math.ceil(y + side)))
    crop = image.crop(region)
    if region[0] < 0 or region[1] < 0 or region[2] > width or region[3] > height:
        canvas = Image.new("RGB", crop.size, "white")
        canvas.paste(image, (-left, -top))
        crop = canvas
    if shrunk == 1.0:
        return crop.crop((0, 0, edge, edge))
    # A pixel now stands for up to eight of the file's across: rounding to whole ones would visibly shift the crop.
    return crop.resize((edge, edge), Image.Resampling.BICUBIC, box=(x - left, y - top, x - left + side, y - top + side))


def square(image: Image.Image, size: int, fit: Fit | Frame = "crop") -> Pixels:
    """An image as a (size, size, 3) uint8 array.

    fit: "crop" fills the square and cuts the longer side's ends off; "pad" shows all of it on white;
    "squash" changes the aspect ratio. Bicubic with antialiasing. Or the frame of a library of others.
    """
    if isinstance(fit, Frame):
        return fit.square(image, size)
    width, height = image.size
    if fit == "pad" and width != height:
        scale = size / max(width, height)
        inner = (max(1, round(width * scale)), max(1, round(height * scale)))
        canvas = Image.new("RGB", (size, size), "white")
        canvas.paste(_resize(image, inner, (0, 0, width, height)), ((size - inner[0]) // 2, (size - inner[1]) // 2))
        return np.asarray(canvas)
    if fit == "crop":
        edge = min(width, height)
        left, top = (width - edge) / 2, (height - edge) / 2
        return np.asarray(_resize(image, (size, size), (left, top, left + edge, top + edge)))
    return np.asarray(_resize(image, (size, size), (0, 0, width, height)))


def _resize(image: Image.Image, size: tuple[int, int], region: Box) -> Image.Image:
    if image.size == size and region == (0, 0, *size):
        return image
    # A gap of 3 is close to the exact filter and skips most of the work on big images (Pillow's Image.resize).
    return image.resize(size, Image.Resampling.BICUBIC, box=region, reducing_gap=3.0)


def _square(box: Box, width: float, height: float, margin: float) -> tuple[float, float, float]:
    """Left, top and side of the square around the part of a box that lies in the image; the square itself may reach out of it."""
    x, y, w, h = box
    left, top, right, bottom = max(x, 0.0), max(y, 0.0), min(x + w, width), min(y + h, height)
    if not (right > left and bottom > top):
        raise Unreadable(f"the box {x:.0f}, {y:.0f}, {w:.0f} × {h:.0f} has no part in the image of {width:.0f} × {height:.0f}")
    side = max(right - left, bottom - top) * (1 + 2 * margin)
    return (left + right - side) / 2, (top + bottom - side) / 2, side


def _crop_side(box: Box, image: Image.Image, margin: float) -> float:
    """Side in pixels of the crop that a box will need, before the image is decoded."""
    if image.format not in ("JPEG", "MPO"):
        return 1.0  # others are not drafted, and may have to be decoded to find their EXIF data
    width, height = image.size
    return _square(box, *((height, width) if _orientation(image) >= 5 else (width, height)), margin)[2]


def _rgb(image: Image.Image) -> Image.Image:
    """RGB from any mode: transparency on white, 16-bit and float grey scaled to 8 bits."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image.copy() if image.readonly else image
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_eight_bits(np.asarray(image))).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        layered = image.convert("RGBA")
        white = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(white, layered).convert("RGB")
    return image.convert("RGB")


def _eight_bits(grey: npt.NDArray[np.generic]) -> Pixels:
    """Deep grey values as uint8, by the range the format implies: 16 bits, or for 32 bits and floats the smallest that holds them."""
    values = np.nan_to_num(grey.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0).clip(0)
    if grey.dtype.itemsize == 2:
        top = 65535.0
    else:
        bounds = (1.0, 255.0, 65535.0) if grey.dtype.kind == "f" else (255.0, 65535.0)
        most = float(values.max())
        top = next((bound for bound in bounds if most <= bound), most)
    scaled: Pixels = np.rint(values * (255.0 / top)).astype(np.uint8)
    return scaled


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # broken metadata is no reason to lose a good image
        return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


def _unknown(source: ImageLike) -> str:
    """The reason why Pillow knows nothing of a file, by its first bytes."""
    if isinstance(source, bytes):
        head = source[:12]
    else:
        assert isinstance(source, str | os.PathLike), "only files are identified"
        with Path(source).open("rb") as stream:
            head = stream.read(12)
    if head[4:8] == b"ftyp":
        return f"a {head[8:12].decode('latin-1').strip()} file, which is not read here; convert it to JPEG or PNG"
    return f"not an image, or broken at its start (begins with {head!r})" if head else "an empty file"


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return " ".join(str(error).split()) or type(error).__name__
