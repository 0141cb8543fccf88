"""The exemplar room: one product on a turntable before a grey wall, seen by four cameras, small in the frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from repr.arrays import Array
from repr.synthetic.camera import FACE_DOWN, FACE_UP, HEAD_DOWN, SPACING, UPRIGHT, Camera, Light, Sprite, finish, look, pose, shadow, turned
from repr.synthetic.identity import Product
from repr.synthetic.packages import build
from repr.synthetic.surface import Cloud

SIZE = (648, 486)  # a quarter of the real 2592 × 1944
TURNS = 40  # 9 degrees apart
ELEVATIONS = (14.0, 48.0, 89.5, 32.0)  # degrees above level of cameras 0–3
SHARES = (0.0068, 0.092)  # of the image that the box may cover; the real ones cover 0.6–10 %
_CENTRES = ((330, 318), (316, 300), (322, 250), (336, 352))
_SCALE = 7.6  # pixels a centimetre at the turntable
_DISC = 15.5  # radius of the turntable, centimetres


@dataclass(frozen=True)
class Shot:
    """One exemplar: which side, camera and turn (1–40)."""

    back: bool
    camera: int
    turn: int


def shots(product: Product, count: int, rng: np.random.Generator) -> list[Shot]:
    """`count` different shots, spread evenly over cameras; where the product has a back, every third is of it."""
    sides = (False, False, True) if product.form.backs else (False,)
    places = [(back, camera) for back in sides for camera in range(4)]
    turns = {place: list(rng.permutation(TURNS) + 1) for place in places}
    chosen = [Shot(*place, int(turns[place].pop())) for place in (places[i % len(places)] for i in range(count))]
    return sorted(chosen, key=lambda shot: (shot.back, shot.camera, shot.turn))


def rest(product: Product, back: bool) -> Array:
    """How the product lies or stands on the turntable (rotation)."""
    if not product.form.stands:
        return FACE_DOWN if back else FACE_UP
    if not back:
        return UPRIGHT
    return HEAD_DOWN if product.form.solid == "round" else FACE_DOWN


def draw_exemplars(product: Product, wanted: list[Shot], rng: np.random.Generator) -> list[tuple[Image.Image, tuple[int, int, int, int]]]:
    """An image and the product's box (x, y, width, height) for every shot."""
    return [(image, sprite.box) for image, sprite in draw_sprites(product, wanted, rng)]


def draw_sprites(product: Product, wanted: list[Shot], rng: np.random.Generator) -> list[tuple[Image.Image, Sprite]]:
    """As `draw_exemplars`, with the product as it was pasted, whose alpha is its true mask."""
    clouds: dict[float, Cloud] = {}
    drawn = []
    for shot in wanted:
        zoom = 1.0
        for _ in range(3):
            image, sprite = _exemplar(product, shot, zoom, clouds, np.random.default_rng(rng.integers(2**63)))
            share = sprite.box[2] * sprite.box[3] / (SIZE[0] * SIZE[1])
            if SHARES[0] <= share <= SHARES[1]:
                break
            zoom *= (min(max(share, SHARES[0] * 1.15), SHARES[1] * 0.88) / share) ** 0.5
        drawn.append((image, sprite))
    return drawn


def _exemplar(
    product: Product, shot: Shot, zoom: float, clouds: dict[float, Cloud], rng: np.random.Generator
) -> tuple[Image.Image, Sprite]:
    if zoom not in clouds:
        clouds[zoom] = build(product, SPACING / (_SCALE * zoom), rng)
    angle = 2 * np.pi * shot.turn / TURNS + rng.normal(0, 0.02)
    rotation = turned("z", angle) @ rest(product, shot.back)
    cloud = pose(clouds[zoom], rotation, *rng.normal(0, 0.5, 2))
    x, y = _CENTRES[shot.camera]
    centre = (x + rng.normal(0, 3), y + rng.normal(0, 3))
    camera = Camera.at(ELEVATIONS[shot.camera] + rng.normal(0, 0.7), 78, _SCALE * zoom, centre)
    light = Light.random(rng, 1.6, 0.6)
    image = _room(shot.camera).copy()
    _turntable(image, camera, angle)
    dark = shadow(cloud, camera, light, SIZE, 9).point(lambda a: int(a * 0.34))
    image = Image.composite(Image.new("RGB", SIZE, (48, 50, 54)), image, dark)
    sprite = look(cloud, camera, light, product.form.gloss, rng.uniform(0.2, 0.7))
    image.paste(sprite.image, (sprite.left, sprite.top), sprite.image)
    return finish(image, rng, light.tint), sprite


@cache
def _room(camera: int) -> Image.Image:
    """The wall, the table and what stands about, without the turntable."""
    width, height = SIZE
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    wall = 172 - 34 * ((x - width * 0.55) / width) ** 2 * 4 - 30 * (y / height - 0.6) ** 2
    horizon = {0: 0.80, 1: 0.40, 2: -1.0, 3: 0.84}[camera] * height + (x - width / 2) * 0.03
    table = 196 - 26 * ((x - width / 2) / width) ** 2 * 4 + 8 * np.sin(x / 90)
    grey = np.where(y > horizon, table, wall) * (0.86 if camera == 2 else 1.0)
    grey -= 26 * np.exp(-((y - horizon) ** 2) / 18)
    image = Image.fromarray(np.clip(np.stack([grey * 0.985, grey, grey * 1.0], axis=2), 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    if camera in (0, 3):
        draw.polygon(
            [(0, 62), (50, 96), (50, 300), (0, 320)] if camera == 0 else [(0, 0), (22, 30), (16, 160), (0, 175)], fill=(150, 116, 74)
        )
    if camera == 0:
        for i in range(5):
            draw.rectangle((0, 352 + i * 22, 36 + 4 * (i % 2), 368 + i * 22), fill=(206 - 9 * i, 208 - 6 * i, 204))
    if camera == 1:
        draw.polygon([(58, 486), (74, 408), (360, 400), (368, 486)], fill=(196, 200, 212))
        draw.line([(0, 300), (34, 262), (0, 250)], fill=(30, 32, 36), width=4)
    if camera == 2:
        draw.rectangle((60, 92, 210, 330), outline=(150, 152, 154), width=2)
        draw.polygon([(356, 170), (510, 150), (520, 440), (370, 440)], fill=(178, 182, 196))
        draw.line([(560, 0), (590, 60), (560, 120), (620, 190), (648, 200)], fill=(30, 30, 34), width=6, joint="curve")
    return image.filter(ImageFilter.GaussianBlur(1.2))


def _turntable(image: Image.Image, camera: Camera, angle: float) -> None:
    """The white disc with its marble lines, turned by `angle`, and the drive below it."""
    draw = ImageDraw.Draw(image)
    turn = np.linspace(0, 2 * np.pi, 72)
    ring = np.stack([_DISC * np.cos(turn), _DISC * np.sin(turn), np.zeros_like(turn)]).astype(np.float32)

    def on_image(points: Array) -> list[tuple[float, float]]:
        """World points (3, n) in pixels."""
        x, y, _ = camera.project(points)
        return [(float(a), float(b)) for a, b in zip(x, y, strict=True)]

    x, y = camera.centre
    if camera.axes[2][2] > -0.9:
        draw.rectangle((x - 34, y + 20, x + 34, y + 160), fill=(40, 40, 44))
        draw.line([(x - 8, y + 90), (x + 20, y + 104), (x - 6, y + 124), (x + 26, y + 140)], fill=(170, 92, 60), width=4)
    lower = ring - np.array([[0.0], [0.0], [1.0]], dtype=np.float32)
    draw.polygon(on_image(lower), fill=(150, 150, 152))
    draw.polygon(on_image(ring), fill=(222, 222, 220))
    for i in range(-2, 3):
        for along in (0.0, np.pi / 2):
            reach = np.sqrt(max(0.0, (_DISC * 0.98) ** 2 - (i * 6.2) ** 2))
            line = turned("z", angle + along)[:2, :2] @ np.array([[-reach, reach], [i * 6.2, i * 6.2]])
            draw.line(on_image(np.vstack([line, np.zeros((1, 2))]).astype(np.float32)), fill=(204, 204, 198), width=2)
