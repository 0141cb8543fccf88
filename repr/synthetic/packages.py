"""The packages as surfaces in space: points with a normal and a printed colour, dense enough to be looked at.

Axes of a package: x to the right, y up, z out of the front. Lengths are centimetres; the middle of the package is the origin.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image

from repr.arrays import Array
from repr.synthetic.colours import Colour, shade
from repr.synthetic.identity import Product
from repr.synthetic.labels import Labels, draw_labels
from repr.synthetic.surface import Cloud

# Outlines of round solids: (height, radius) from the bottom (0) to the top (1), and the parts of the height that carry the label
# and the cap. Radius 1 is half the form's width.
_OUTLINES: dict[str, tuple[tuple[tuple[float, float], ...], tuple[float, float], float]] = {
    "bottle": (((0, 0.8), (0.04, 1), (0.30, 1), (0.34, 0.93), (0.56, 0.93), (0.60, 1), (0.70, 0.98), (0.80, 0.72), (0.90, 0.44), (0.905, 0.50), (1, 0.50)), (0.30, 0.62), 0.905),
    "long neck": (((0, 0.92), (0.03, 1), (0.52, 1), (0.60, 0.94), (0.70, 0.55), (0.78, 0.42), (0.955, 0.40), (0.96, 0.46), (1, 0.44)), (0.12, 0.48), 0.955),
    "flask": (((0, 0.9), (0.03, 1), (0.66, 1), (0.76, 0.86), (0.84, 0.40), (0.89, 0.36), (0.895, 0.42), (1, 0.42)), (0.14, 0.60), 0.895),
    "sauce": (((0, 0.9), (0.03, 1), (0.58, 1), (0.72, 0.62), (0.86, 0.40), (0.865, 0.48), (1, 0.46)), (0.10, 0.54), 0.865),
    "shampoo": (((0, 0.85), (0.04, 1), (0.60, 0.98), (0.74, 0.80), (0.78, 0.38), (0.785, 0.44), (0.88, 0.44), (0.89, 0.20), (0.94, 0.20), (0.945, 0.42), (1, 0.42)), (0.06, 0.66), 0.785),
    "yoghurt": (((0, 0.85), (0.05, 1), (0.34, 0.98), (0.44, 0.84), (0.54, 0.98), (0.82, 0.92), (0.92, 0.70), (0.93, 0.76), (1, 0.76)), (0.04, 0.90), 0.93),
    "can": (((0, 0.86), (0.04, 1), (0.93, 1), (0.97, 0.90), (1, 0.90)), (0.04, 0.94), 2.0),
    "cup": (((0, 0.70), (0.02, 0.74), (0.90, 0.96), (0.91, 1), (1, 1)), (0.02, 0.90), 0.91),
    "bowl": (((0, 0.62), (0.03, 0.68), (0.88, 0.95), (0.89, 1), (1, 1)), (0.03, 0.88), 0.89),
    "jar": (((0, 0.92), (0.04, 1), (0.72, 1), (0.80, 0.86), (0.81, 0.90), (1, 0.90)), (0.10, 0.68), 0.81),
    "canister": (((0, 0.94), (0.03, 1), (0.80, 1), (0.81, 0.96), (1, 0.93)), (0.03, 0.80), 0.81),
    "roll": (((0, 0.55), (0.04, 0.92), (0.10, 1), (0.90, 1), (0.96, 0.92), (1, 0.55)), (0.04, 0.96), 2.0),
    "rod": (((0, 0.7), (0.02, 1), (0.92, 1), (0.93, 0.94), (1, 0.90)), (0.02, 0.92), 0.93),
    "pen": (((0, 0.18), (0.06, 0.50), (0.10, 1), (0.66, 1), (0.67, 1.12), (0.97, 1.08), (1, 0.7)), (0.14, 0.66), 0.67),
    "tube": (((0, 0.62), (0.10, 0.62), (0.105, 0.80), (0.18, 0.92), (0.96, 1), (1, 1)), (0.11, 1.0), -0.10),
}  # fmt: skip
_CLEAR = {"bottle", "long neck", "flask", "sauce", "jar"}  # the goods' colour shows outside the label


def _grid(columns: int, rows: int, left: float = 0.0, right: float = 1.0) -> tuple[Array, Array]:
    """u from left to right and v from 0 to 1 over a grid, float32 (rows, columns) each."""
    u, v = np.meshgrid(np.linspace(left, right, columns, dtype=np.float32), np.linspace(0, 1, rows, dtype=np.float32))
    return u, v


def _steps(length: float, spacing: float) -> int:
    return max(3, int(np.ceil(length / spacing)) + 1)


def _sample(image: Array, u: Array, v: Array) -> Array:
    """Colours float32 (3, n) of an image (h, w, 3) at u, v in 0–1 (v down)."""
    height, width = image.shape[:2]
    column = np.clip((u * width).astype(np.int32), 0, width - 1).ravel()
    row = np.clip((v * height).astype(np.int32), 0, height - 1).ravel()
    return np.asarray(image.reshape(-1, 3)[row * width + column].T, dtype=np.float32)


def _cloud(x: Array, y: Array, z: Array, colour: Array, outward: Array | None = None) -> Cloud:
    """A cloud of a grid of points (rows v, columns u); normals by differences, turned away from the origin or along `outward`."""
    place = np.stack([x, y, z]).astype(np.float32)
    along = np.gradient(place, axis=2)
    down = np.gradient(place, axis=1)
    (ax, ay, az), (dx, dy, dz) = along, down
    normal = np.stack([ay * dz - az * dy, az * dx - ax * dz, ax * dy - ay * dx]).reshape(3, -1)
    normal /= np.sqrt(np.maximum(np.einsum("in,in->n", normal, normal), 1e-18))
    place = place.reshape(3, -1)
    away = place if outward is None else outward[:, None]
    normal *= np.where(np.einsum("in,in->n", normal, np.broadcast_to(away, normal.shape)) < 0, np.float32(-1), np.float32(1))
    return Cloud(place, normal.astype(np.float32), colour)


def _quad(corners: list[tuple[float, float, float]], image: Array, spacing: float) -> Cloud:
    """A flat or folded face from four corners (top left, top right, bottom right, bottom left as printed)."""
    a, b, c, d = (np.array(corner, dtype=np.float32) for corner in corners)
    across = max(np.linalg.norm(b - a), np.linalg.norm(c - d))
    down = max(np.linalg.norm(d - a), np.linalg.norm(c - b))
    u, v = _grid(_steps(float(across), spacing), _steps(float(down), spacing))
    shares = np.stack([(1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v])
    x, y, z = np.tensordot(np.stack([a, b, c, d], axis=1), shares, axes=1)
    return _cloud(x, y, z, _sample(image, u, v))


def _plain(colour: Colour) -> Array:
    return np.full((2, 2, 3), colour, dtype=np.uint8)


def _box(product: Product, labels: Labels, spacing: float) -> Cloud:
    width, height, depth = (s / 2 for s in product.size)
    gable = product.form.profile == "gable"
    roof = height * 0.62 if gable else height

    def _face(x: float, z: float, dx: float, dz: float, image: Array) -> Cloud:
        corners = [(x - dx, roof, z - dz), (x + dx, roof, z + dz), (x + dx, -height, z + dz), (x - dx, -height, z - dz)]
        return _quad(corners, image, spacing)

    faces = [
        _face(0, depth, width, 0, labels.front),
        _face(0, -depth, -width, 0, labels.back),
        _face(width, 0, 0, -depth, labels.side),
        _face(-width, 0, 0, depth, labels.side),
        _quad(
            [(-width, -height, depth), (width, -height, depth), (width, -height, -depth), (-width, -height, -depth)],
            _plain(shade(product.ground, -0.1)),
            spacing,
        ),
    ]
    if gable:
        faces += _gable(product, labels, roof, spacing)
    else:
        top = np.rot90(labels.side) if labels.side.shape[0] > labels.side.shape[1] else labels.side
        corners = [(-width, height, -depth), (width, height, -depth), (width, height, depth), (-width, height, depth)]
        faces.append(_quad(corners, top, spacing))
    return faces[0].join(*faces[1:])


def _gable(product: Product, labels: Labels, roof: float, spacing: float) -> list[Cloud]:
    """The top of a milk carton from the height `roof` on: two slopes, their folded ends and the seam that stands on the ridge."""
    width, height, depth = (s / 2 for s in product.size)
    ridge, fold = height * 0.90, _plain(shade(product.brand.second, -0.05))
    paint = labels.front[: max(8, labels.front.shape[0] // 5)]
    faces = []
    for sign in (1, -1):
        w, d, seam = width * sign, depth * sign, 0.15 * sign
        slope = [(-w, ridge, 0.0), (w, ridge, 0.0), (w, roof, d), (-w, roof, d)]
        end = [(w, ridge, 0.0), (w, ridge, 0.01), (w, roof, depth), (w, roof, -depth)]
        stand = [(-width, height, seam), (width, height, seam), (width, ridge, seam), (-width, ridge, seam)]
        faces += [_quad(slope, paint, spacing), _quad(end, fold, spacing), _quad(stand, fold, spacing)]
    return faces


def _creases(shape: tuple[int, int], amount: float, rng: np.random.Generator) -> Array:
    """A wrinkled height field (rows, columns) in centimetres, strongest towards the seams."""
    u, v = np.meshgrid(np.linspace(0, 1, 96, dtype=np.float32), np.linspace(0, 1, 96, dtype=np.float32))
    field = np.zeros_like(u)
    for _ in range(7):
        turn, wave = rng.uniform(0, np.pi), rng.uniform(9, 34)
        phase = np.float32(wave) * (u * np.float32(np.cos(turn)) + v * np.float32(np.sin(turn))) + np.float32(rng.uniform(0, 6.28))
        field += np.abs(np.sin(phase + 1.5 * np.sin(phase * 0.37))) * np.float32(rng.uniform(0.2, 1.0) / wave)
    seam = 0.35 + 0.65 * np.clip(np.abs(v - 0.5) * 2.6 - 0.5, 0, 1)
    coarse = Image.fromarray(field * seam * np.float32(amount * 2.6))
    return np.asarray(coarse.resize(shape[::-1], Image.Resampling.BICUBIC))


def _pillow(product: Product, labels: Labels, spacing: float, rng: np.random.Generator) -> Cloud:
    width, height, depth = product.size
    kind, crumple = product.form.profile, product.form.crumple
    u, v = _grid(_steps(width, spacing), _steps(height, spacing))
    across, along = np.abs(2 * u - 1), np.abs(2 * v - 1)
    if kind == "crimp":
        rise = (1 - across**2.6) ** 0.75 * np.clip(1 - (along / 0.93) ** 3.2, 0, 1) ** 0.8
    elif kind == "zip":
        rise = (1 - across**3.0) ** 0.8 * np.clip((1 - along**3) * np.clip((v - 0.10) * 2.2, 0, 1), 0, 1) ** 0.8
    else:
        rise = (1 - across**6) ** 0.5 * (1 - along**6) ** 0.5
    waist = 1 - (0.05 * np.sin(np.pi * v) if kind == "crimp" else 0.0)
    x, y = (u - 0.5) * width * waist, (0.5 - v) * height
    if kind == "zip":
        y = y - np.where(v > 0.97, (across**4) * 0.6, 0)
    parts = []
    for sign, image in ((1, labels.front), (-1, labels.back)):
        bumps = _creases(u.shape, crumple * min(1.0, depth / 3), rng) * (rise > 0.03)
        z = sign * (depth / 2 * rise + bumps + 0.05)
        colour = _sample(image, u if sign > 0 else 1 - u, v)
        if kind == "crimp":
            teeth = np.where((along > 0.93) & (np.sin(u * width * 14) > 0), 0.72, 1.0).ravel()
            colour = colour * teeth.astype(np.float32)
        elif kind == "zip":
            colour = colour * np.where(np.abs(v - 0.075) < 0.008, 0.7, 1.0).ravel().astype(np.float32)
        parts.append(_cloud(x, y, z, colour, np.array([0, 0, sign], dtype=np.float32)))
    return parts[0].join(parts[1])


def _round(product: Product, labels: Labels, spacing: float, rng: np.random.Generator) -> Cloud:
    width, height, depth = product.size
    kind = product.form.profile
    outline, (low, high), cap = _OUTLINES[kind]
    heights = np.array([p[0] for p in outline])
    girth = np.pi * max(width, (width + depth) / 2)
    turn, down = _grid(_steps(girth, spacing), _steps(height * 1.1, spacing), -np.pi, np.pi)
    up = 1 - down
    column = up[:, :1]
    radius = np.interp(column, heights, [p[1] for p in outline]).astype(np.float32)
    thick = np.clip((1 - column) / 0.86, 0.012, 1) * np.where(column < 0.1, 0.7, 1.0).astype(np.float32) if kind == "tube" else radius
    x, z, y = width / 2 * radius * np.sin(turn), depth / 2 * thick * np.cos(turn), (up - 0.5) * height
    half = labels.back.shape[1] // 2
    wrap = np.concatenate([labels.back[:, half:], labels.front, labels.back[:, :half]], axis=1)
    goods = shade(product.band, 0.05) if product.supercategory != "drink" or product.motif != "drop" else (206, 226, 236)
    glass = {"long neck": shade(product.band, -0.25), "sauce": (70, 34, 24), "flask": (214, 224, 222), "jar": goods, "bottle": goods}
    body = glass.get(kind, (206, 208, 212)) if kind in _CLEAR or kind == "can" else product.ground
    colour = _sample(wrap, (turn + np.pi) / (2 * np.pi), (high - up) / (high - low))
    flat_up = up.ravel()
    colour = np.where((flat_up >= low) & (flat_up <= high), colour, np.array(body, dtype=np.float32)[:, None])
    is_cap = flat_up >= cap if cap > 0 else flat_up <= -cap
    cap_colour = product.brand.accent if kind in ("cup", "bowl") else product.band
    ridges = 0.88 + 0.12 * np.sign(np.sin(turn.ravel() * 26))
    colour = np.where(is_cap, np.array(cap_colour, dtype=np.float32)[:, None] * ridges, colour).astype(np.float32)
    shell = _cloud(x, y, z, colour)
    lid = labels.lid
    if kind in ("bottle", "long neck", "flask", "sauce", "shampoo", "yoghurt", "rod", "tube", "pen"):
        lid = _plain(shade(product.band, 0.1))
    elif product.form_name in ("can", "slim can"):
        lid = _ring_pull(product.band)
    under = _plain((196, 198, 202)) if kind == "can" else _plain(shade(product.ground, -0.25))
    top = _disc(width / 2 * outline[-1][1], depth / 2 * outline[-1][1], height / 2, lid, spacing)
    bottom = _disc(width / 2 * outline[0][1], depth / 2 * outline[0][1], -height / 2, under, spacing)
    return shell.join(bottom) if kind == "tube" else shell.join(top, bottom)


def _ring_pull(tint: Colour) -> Array:
    """The metal top of a can, lacquered in `tint`."""
    y, x = np.meshgrid(np.linspace(-1, 1, 80), np.linspace(-1, 1, 80), indexing="ij")
    radius = np.hypot(x, y)
    metal = 205 + 18 * np.sin(radius * 22) - 60 * ((np.abs(np.hypot(x, y - 0.25) - 0.24) < 0.07) | (np.abs(radius - 0.88) < 0.04))
    lacquer = np.where(radius < 0.84, 0.45, 0.0)[..., None]
    return np.asarray(np.clip(metal[..., None] * (1 - lacquer) + np.array(tint) * lacquer, 0, 255), dtype=np.uint8)


def _disc(rx: float, rz: float, y: float, image: Array, spacing: float) -> Cloud:
    """A horizontal ellipse at height y that carries a round image."""
    turn, radius = _grid(_steps(2 * np.pi * max(rx, rz), spacing), _steps(max(rx, rz), spacing), 0, 2 * np.pi)
    x, z = radius * np.sin(turn), radius * np.cos(turn)
    flat = np.array([0, np.sign(y), 0], dtype=np.float32)
    cloud = _cloud(rx * x, np.full_like(x, y), rz * z, _sample(image, (x + 1) / 2, (z + 1) / 2), flat)
    return Cloud(cloud.place, np.repeat(flat[:, None], x.size, axis=1), cloud.colour)


@lru_cache(maxsize=256)
def labels_of(product: Product) -> Labels:
    """The printed faces, in the proportions of the package."""
    width, height, depth = product.size
    if product.form.solid in ("round", "tube"):
        low, high = _OUTLINES[product.form.profile][1]
        return draw_labels(product, (np.pi * (width + depth) / 4, height * (high - low)), (depth, height))
    return draw_labels(product, (width, height), (depth, height))


def build(product: Product, spacing: float, rng: np.random.Generator) -> Cloud:
    """The surface of `product` with points at most `spacing` centimetres apart; `rng` crumples it."""
    labels = labels_of(product)
    if product.form.solid == "box":
        return _box(product, labels, spacing)
    if product.form.solid == "pillow":
        return _pillow(product, labels, spacing, rng)
    return _round(product, labels, spacing, rng)
