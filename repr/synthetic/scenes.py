"""The checkout counter: many products in one square image, from above, turned, touching and partly covered."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

from repr.arrays import Array
from repr.synthetic.camera import FACE_DOWN, FACE_UP, SPACING, UPRIGHT, Camera, Light, Sprite, finish, look, pose, shadow, turned
from repr.synthetic.identity import Product
from repr.synthetic.packages import build
from repr.synthetic.surface import Cloud

# Categories and instances a scene, from RPC's definition of its levels.
LEVELS: dict[str, tuple[tuple[int, int], tuple[int, int]]] = {
    "easy": ((3, 5), (3, 10)),
    "medium": ((5, 8), (10, 15)),
    "hard": ((8, 10), (15, 20)),
}
# How much of a product may at most be covered.
_COVER = {"easy": 0.06, "medium": 0.12, "hard": 0.20}
_SCALE = 8.2  # pixels a centimetre on the counter, when there is room
_FULL = 0.28  # of the counter that the products may cover before the camera stands back


@dataclass(frozen=True)
class Habits:
    """How alike the photographs of a counter are.

    lamps: how much strength and tint of the light vary (`Light.random`). aligned: concentration of the products' turns (von Mises);
    at 3 most lie more or less towards the clerk and some any way round, at 0 each lies as it happens.
    """

    lamps: float
    aligned: float


RPC = Habits(0.8, 3.0)  # one counter under its own lamp


@dataclass(frozen=True)
class Placed:
    """One product of a scene: its box (x, y, width, height) and a point on it, in pixels."""

    category: int
    box: tuple[float, float, float, float]
    point: tuple[float, float]


def shopping_lists(categories: list[int], levels: list[str], rng: np.random.Generator) -> list[list[int]]:
    """One list (category ids, with repeats) for every level named, that use all categories about equally often."""
    bought = dict.fromkeys(categories, 0)
    lists = []
    for level in levels:
        (few, many), (least, most) = LEVELS[level]
        kinds, pieces = int(rng.integers(few, many + 1)), int(rng.integers(least, most + 1))
        pieces = max(pieces, kinds)
        order = sorted(categories, key=lambda c: (bought[c], rng.random()))
        chosen = order[:kinds]
        basket = list(chosen)
        for category in chosen:
            bought[category] += 1
        while len(basket) < pieces:
            category = min(chosen, key=lambda c: bought[c] + 2.5 * rng.random())
            basket.append(category)
            bought[category] += 1
        lists.append(basket)
    return lists


def _rest(product: Product, rng: np.random.Generator) -> Array:
    """How the product happens to lie: rotation without the turn about the vertical."""
    form = product.form
    chance = rng.random()
    if form.solid == "pillow":
        return (FACE_UP if chance < 0.84 else FACE_DOWN) @ turned("y", rng.normal(0, 0.06))
    if form.solid == "round":
        standing = {"bowl": 0.75, "tin": 0.7, "oval tin": 0.85, "cup": 0.35, "jar": 0.3, "roll pack": 0.5, "can": 0.25}.get(
            product.form_name, 0.0
        )
        if chance < standing:
            return UPRIGHT
        return FACE_UP @ turned("y", rng.normal(0, 0.75) if rng.random() < 0.75 else rng.uniform(-np.pi, np.pi))
    if form.solid == "tube":
        return FACE_UP if chance < 0.8 else FACE_DOWN
    if chance < 0.86:
        return FACE_UP
    return FACE_DOWN if chance < 0.95 or not form.stands else turned("y", np.pi / 2)


def draw_scene(
    basket: list[tuple[int, Product]], level: str, side: int, rng: np.random.Generator, habits: Habits = RPC
) -> tuple[Image.Image, list[Placed]]:
    """A square image of `side` pixels with the basket's (category id, product) pairs on the counter."""
    ground = sum(float(np.prod(sorted(product.size)[1:])) for _, product in basket)
    scale = _SCALE * side / 600 * min(1.0, np.sqrt(_FULL * (side * 600 / side / _SCALE) ** 2 / ground)) * rng.uniform(0.94, 1.04)
    camera = Camera.at(89.9, 105, scale, (side / 2, side / 2))
    light = Light.random(rng, 2.2, habits.lamps)
    blur = rng.uniform(0.2, 0.85)
    clouds: dict[int, Cloud] = {}
    owner = np.full((side, side), -1, dtype=np.int16)
    sizes: list[int] = []
    image = _counter(int(rng.integers(4)), side).copy()
    order = [basket[i] for i in rng.permutation(len(basket))]
    order.sort(key=lambda pair: -np.prod(sorted(pair[1].size)[1:]) * rng.uniform(0.4, 1.0))
    for number, (category, product) in enumerate(order):
        if category not in clouds:
            clouds[category] = build(product, SPACING / scale, rng)
        rotation = turned("z", rng.vonmises(0, habits.aligned)) @ _rest(product, rng)
        sprite, cast = _settle(clouds[category], product, rotation, camera, light, owner, sizes, level, blur, rng)
        dark = cast.point(lambda a: int(a * 0.42))
        image = Image.composite(Image.new("RGB", image.size, (30, 32, 34)), image, dark)
        image.paste(sprite.image, (sprite.left, sprite.top), sprite.image)
        solid = np.asarray(sprite.image.getchannel("A")) > 127
        window = owner[sprite.top : sprite.top + solid.shape[0], sprite.left : sprite.left + solid.shape[1]]
        window[solid] = number
        sizes.append(int(solid.sum()))
    placed = [_placed(category, owner == number, rng) for number, (category, _) in enumerate(order)]
    return finish(_vignette(image), rng, light.tint), placed


def _settle(
    cloud: Cloud,
    product: Product,
    rotation: Array,
    camera: Camera,
    light: Light,
    owner: Array,
    sizes: list[int],
    level: str,
    blur: float,
    rng: np.random.Generator,
) -> tuple[Sprite, Image.Image]:
    """Put the product where it covers little of what lies there already; also its shadow over the whole image."""
    side = owner.shape[0]
    reach = side / camera.focal * camera.place[2] / 2
    x, y = rng.normal(0, reach * 0.42, 2).clip(-reach * 0.7, reach * 0.7)
    posed = pose(cloud, rotation, x, y)
    sprite = look(posed, camera, light, product.form.gloss, blur)
    solid = (np.asarray(sprite.image.getchannel("A")) > 127)[::4, ::4]
    rows, columns = solid.shape
    coarse = owner[::4, ::4]
    uncovered = np.array([(coarse == i).sum() for i in range(len(sizes))]) if sizes else np.zeros(0)
    whole = np.array(sizes) / 16
    best, cost = (sprite.left, sprite.top), np.inf
    for attempt in range(160):
        spread = side * (0.03 + 0.004 * attempt)
        left = int(np.clip(sprite.left + rng.normal(0, spread), 6, side - sprite.image.width - 6))
        top = int(np.clip(sprite.top + rng.normal(0, spread), 6, side - sprite.image.height - 6))
        under = coarse[top // 4 : top // 4 + rows, left // 4 : left // 4 + columns]
        hidden = under[solid[: under.shape[0], : under.shape[1]]]
        worst = 0.0
        if (hidden >= 0).any():
            lost = np.bincount(hidden[hidden >= 0], minlength=len(sizes))
            worst = float((1 - (uncovered - lost) / whole)[lost > 0].max())
        if worst < cost:
            best, cost = (left, top), worst
        if cost <= _COVER[level] * (0.3 + 0.7 * rng.random()):
            break
    shift = np.array([best[0] - sprite.left, best[1] - sprite.top])
    sprite.left, sprite.top = best
    scale = camera.focal / camera.place[2]
    moved = Cloud(posed.place + np.array([shift[0] / scale, -shift[1] / scale, 0], dtype=np.float32)[:, None], posed.normal, posed.colour)
    return sprite, shadow(moved, camera, light, (side, side), 9)


def _placed(category: int, mask: Array, rng: np.random.Generator) -> Placed:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, top = float(columns[0]), float(rows[0])
    box = (left, top, float(columns[-1] + 1 - left), float(rows[-1] + 1 - top))
    inside = np.argwhere(mask)
    row, column = inside[np.argsort(np.abs(inside - inside.mean(axis=0)).sum(axis=1))[int(rng.integers(max(1, len(inside) // 10)))]]
    return Placed(category, box, (float(column), float(row)))


def _square(side: int) -> tuple[Array, Array]:
    """x and y of an image's pixels, both from -1 to 1, float32 (side, side)."""
    line = np.linspace(-1, 1, side, dtype=np.float32)
    return line[None, :].repeat(side, axis=0), line[:, None].repeat(side, axis=1)


@cache
def _counter(number: int, side: int) -> Image.Image:
    """The bare counter under the lamp: light grey, a little uneven."""
    rng = np.random.default_rng([13, number])
    x, y = _square(side)
    grey = 214 - 10 * x * rng.uniform(-1, 1) - 10 * y * rng.uniform(-1, 1)
    patches = Image.fromarray(rng.normal(0, 3, (12, 12)).astype(np.float32)).resize((side, side), Image.Resampling.BICUBIC)
    grey = grey + np.asarray(patches)
    tone = np.stack([grey * (0.99 - 0.02 * x), grey, grey * (0.985 + 0.02 * x)], axis=2)
    return Image.fromarray(np.clip(tone, 0, 255).astype(np.uint8))


def _vignette(image: Image.Image) -> Image.Image:
    side = image.width
    return Image.composite(image, Image.new("RGB", image.size, (60, 64, 66)), _fall(side))


@cache
def _fall(side: int) -> Image.Image:
    x, y = _square(side)
    return Image.fromarray(np.clip(250 - 78 * (x**2 + y**2) ** 1.1, 0, 255).astype(np.uint8))
