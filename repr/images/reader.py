"""The one reader for image files: anything on disk becomes an upright RGB image, or Unreadable with the reason."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image, UnidentifiedImageError

from repr.arrays import Pixels
from repr.catalog.formats import FORMATS

Box = tuple[float, float, float, float]
Fit = Literal["crop", "pad", "squash"]

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
    """A image that cannot be had, with the reason. Not a user's error: the run goes on and counts it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_image(path: Path, *, short_side: int | None = None, box: Box | None = None, margin: float = MARGIN) -> Image.Image:
    """The image in a file, upright, RGB, transparency on white; with a box, the square crop around it.

    short_side: the size in pixels wanted of the shorter side (of the crop's side with a box). It is a hint: a big JPEG
    is then decoded at a half, a quarter or an eighth, but never below that size. Nothing is resized to it.
    box: x, y, w, h in pixels of the upright image. The crop is `crop_square` of it.
    Raises Unreadable with the reason: no such file, not a image, truncated, over MAX_PIXELS, box outside the image.
    """
    path = Path(path)
    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise Unreadable(f"{width} × {height} pixels, over the bound of {MAX_PIXELS:,}")
            if short_side:
                side = min(width, height) if box is None else _crop_side(box, image, margin)
                scale = short_side / max(side, 1.0)
                image.draft(None, (max(1, math.ceil(width * scale)), max(1, math.ceil(height * scale))))
            image.load()
            shrunk = 1 / round(width / image.size[0])  # the exact factor; the sizes themselves are rounded up
            upright = _upright(_rgb(image), _orientation(image))
    except Unreadable:
        raise
    except FileNotFoundError:
        raise Unreadable("no such file") from None
    except UnidentifiedImageError:
        raise Unreadable(_unknown(path)) from None
    except Image.DecompressionBombError:
        raise Unreadable(f"more pixels than the bound of {MAX_PIXELS:,}") from None
    except MemoryError:
        raise
    except Exception as error:  # decoders raise whatever a broken file makes them trip over (SyntaxError, struct.error, …)
        raise Unreadable(_reason(error)) from None
    return upright if box is None else crop_square(upright, box, margin=margin, shrunk=shrunk)


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


def square(image: Image.Image, size: int, fit: Fit = "crop") -> Pixels:
    """A image as a (size, size, 3) uint8 array.

    fit: "crop" fills the square and cuts the longer side's ends off; "pad" shows all of it on white;
    "squash" changes the aspect ratio. Bicubic with antialiasing.
    """
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


def _eight_bits(grey: np.ndarray[Any, Any]) -> Pixels:
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


def _unknown(path: Path) -> str:
    with path.open("rb") as stream:
        head = stream.read(12)
    if head[4:8] == b"ftyp":
        return f"a {head[8:12].decode('latin-1').strip()} file, which is not read here; convert it to JPEG or PNG"
    return f"not a image, or broken at its start (begins with {head!r})" if head else "an empty file"


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return " ".join(str(error).split()) or type(error).__name__
