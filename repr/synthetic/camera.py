"""Looking at a package: a pinhole camera, a lamp, and the cut-out image that comes of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from repr.arrays import Array
from repr.synthetic.surface import Cloud

FINER = 1.5  # the surface is drawn this many times finer and then reduced
SPACING = 0.56  # of the points of a surface, in pixels of the image: close enough to leave no holes at that fineness


def turned(axis: str, angle: float) -> Array:
    """The rotation (3, 3) by `angle` radians about x, y or z."""
    cos, sin = np.cos(angle), np.sin(angle)
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(3, dtype=np.float32)
    matrix[first, first] = matrix[second, second] = cos
    matrix[first, second], matrix[second, first] = -sin, sin
    return matrix


UPRIGHT = turned("x", np.pi / 2)  # package up → world up
FACE_UP = np.eye(3, dtype=np.float32)  # front → world up
FACE_DOWN = turned("y", np.pi)
HEAD_DOWN = turned("x", -np.pi / 2)


@dataclass(frozen=True)
class Camera:
    """A pinhole at `place` (world centimetres, z up); rows of `axes`: right, down, forward; `focal` and `centre` in pixels."""

    place: Array
    axes: Array
    focal: float
    centre: tuple[float, float]

    @classmethod
    def at(cls, elevation: float, distance: float, pixels_a_cm: float, centre: tuple[float, float], height: float = 0.0) -> Camera:
        """Looks at (0, 0, height) from the side of -y, `elevation` degrees above level, at that scale in the middle."""
        angle = np.radians(elevation)
        forward = np.array([0, np.cos(angle), -np.sin(angle)])
        axes = np.stack([np.array([1.0, 0, 0]), np.array([0, -np.sin(angle), -np.cos(angle)]), forward])
        return cls(
            (np.array([0, 0, height]) - forward * distance).astype(np.float32), axes.astype(np.float32), pixels_a_cm * distance, centre
        )

    def project(self, place: Array) -> tuple[Array, Array, Array]:
        """x, y in pixels and depth in centimetres of world points (3, n)."""
        right, down, depth = (_along(axis, place) - float(axis @ self.place) for axis in self.axes)
        return self.centre[0] + self.focal * right / depth, self.centre[1] + self.focal * down / depth, depth


@dataclass(frozen=True)
class Light:
    """A lamp far away (`towards` points at it) and light from all round."""

    towards: Array
    ambient: float = 0.55
    direct: float = 0.5
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @classmethod
    def random(cls, rng: np.random.Generator, steep: float, spread: float) -> Light:
        """From above (`steep` is its height against the sideways part); `spread` scales how much strength and tint vary."""
        turn = rng.uniform(0, 2 * np.pi)
        towards = np.array([np.cos(turn), np.sin(turn), steep], dtype=np.float32)
        warm, green = rng.normal(0, 0.045 * spread), rng.normal(0, 0.02 * spread)
        strength = 1 + rng.normal(0, 0.09 * spread)
        tint = (strength * (1 + warm), strength * (1 + green), strength * (1 - warm))
        return cls(towards / np.linalg.norm(towards), rng.uniform(0.5, 0.62), rng.uniform(0.38, 0.55), tint)


@dataclass
class Sprite:
    """A cut-out: RGBA image and where its top left corner lies in the whole image."""

    image: Image.Image
    left: int
    top: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        """x, y, width, height of what is more than half opaque, in the whole image."""
        alpha = self.image.getchannel("A").point(lambda a: 255 if a > 127 else 0)
        left, top, right, bottom = alpha.getbbox() or (0, 0, 1, 1)
        return self.left + left, self.top + top, right - left, bottom - top


def pose(cloud: Cloud, rotation: Array, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Cloud:
    """The cloud turned, and set down at (x, y) on the plane at height z."""
    place, normal = (np.stack([_along(row, part) for row in rotation]) for part in (cloud.place, cloud.normal))
    place += np.array([x, y, z - place[2].min()], dtype=np.float32)[:, None]
    return Cloud(place, normal, cloud.colour)


def _along(direction: Array, vectors: Array) -> Array:
    """The dot products (n,) of one direction (3,) with vectors (3, n)."""
    x, y, z = (float(d) for d in direction)
    return np.asarray(x * vectors[0] + y * vectors[1] + z * vectors[2])


def look(cloud: Cloud, camera: Camera, light: Light, gloss: float, blur: float = 0.0) -> Sprite:
    """The image of a posed cloud; `blur` is the radius of a soft lens in pixels."""
    facing = _along(camera.place, cloud.normal) > (cloud.normal * cloud.place).sum(axis=0)
    visible = np.flatnonzero(facing)
    place, normal, colour = (part.take(visible, axis=1) for part in (cloud.place, cloud.normal, cloud.colour))
    x, y, depth = camera.project(place)
    view = camera.place - place.mean(axis=1)
    half = light.towards + view / np.linalg.norm(view)
    lit = light.ambient + light.direct * np.maximum(_along(light.towards, normal), 0) + 0.12 * normal[2]
    shine = np.maximum(_along(half / np.linalg.norm(half), normal), 0)
    for _ in range(5):
        shine *= shine  # to the power of 32
    shine *= 210 * gloss
    packed = np.full(len(visible), 255 << 24, dtype=np.uint32)
    for channel in range(3):
        tone = np.clip((colour[channel] * lit + shine) * np.float32(light.tint[channel]), 0, 255)
        packed |= tone.astype(np.uint32) << np.uint32(8 * channel)

    left, top = int(np.floor(x.min())) - 2, int(np.floor(y.min())) - 2
    width, height = int(np.ceil(x.max())) - left + 3, int(np.ceil(y.max())) - top + 3
    columns, rows = round(width * FINER), round(height * FINER)
    spot = ((y - top) * FINER).astype(np.int32) * columns + ((x - left) * FINER).astype(np.int32)
    near, far = float(depth.min()), float(depth.max())
    order = np.argsort(((far - depth) * (65535 / max(far - near, 1e-6))).astype(np.uint16), kind="stable")
    canvas = np.zeros(columns * rows, dtype=np.uint32)
    canvas[spot[order]] = packed[order]
    grid = canvas.reshape(rows, columns)
    for line in (grid, grid.T):  # close the single pixels that no point fell on
        middle = line[:, 1:-1]
        np.copyto(middle, line[:, :-2], where=(middle == 0) & (line[:, :-2] != 0) & (line[:, 2:] != 0))
    fine = Image.fromarray(canvas.view(np.uint8).reshape(rows, columns, 4), "RGBA")
    image = fine.resize((width, height), Image.Resampling.BILINEAR)
    return Sprite(image.filter(ImageFilter.GaussianBlur(blur)) if blur > 0.2 else image, left, top)


def shadow(cloud: Cloud, camera: Camera, light: Light, size: tuple[int, int], blur: float, ground: float = 0.0) -> Image.Image:
    """How dark the plane at height `ground` is (L, 0–255) in an image of `size`: a blurred cast shadow."""
    step = max(1, cloud.place.shape[1] // 6000)
    place = cloud.place[:, ::step]
    fall = (place[2] - ground) / light.towards[2]
    x, y, _ = camera.project(place - light.towards[:, None] * fall)
    width, height = size[0] // 4 + 1, size[1] // 4 + 1
    column, row = (x / 4).astype(np.int32), (y / 4).astype(np.int32)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    mask = np.zeros((height, width), dtype=np.uint8)
    mask[row[inside], column[inside]] = 255
    soft = Image.fromarray(mask, "L").filter(ImageFilter.MaxFilter(3)).filter(ImageFilter.GaussianBlur(blur / 4))
    return soft.resize(size, Image.Resampling.BILINEAR)


def finish(image: Image.Image, rng: np.random.Generator, tint: tuple[float, float, float]) -> Image.Image:
    """What the camera adds: the tint of the light and sensor noise."""
    gains = [0.5 + 0.5 * t for t in tint]
    table = [min(255, round(i * gain)) for gain in gains for i in range(256)]
    noise = _grain(int(rng.integers(4)))
    left, top = (int(n) for n in rng.integers(0, 128, 2))
    image = image.point(table)
    return ImageChops.add(image, noise.crop((left, top, left + image.width, top + image.height)), 1.0, -4)


@cache
def _grain(number: int) -> Image.Image:
    """A sheet of sensor noise round 4, to be shifted and added."""
    rng = np.random.default_rng([11, number])
    noise = np.clip(np.rint(4 + 1.6 * rng.standard_normal((900, 900, 1)) + 0.5 * rng.standard_normal((900, 900, 3))), 0, 8)
    return Image.fromarray(noise.astype(np.uint8))
