"""MEP-3M's images: a product large on white as web shops show it, with banners, prices and packs of several."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from repr.synthetic.camera import SPACING, UPRIGHT, Camera, Light, look, pose, turned
from repr.synthetic.colours import Colour, colour
from repr.synthetic.identity import Product
from repr.synthetic.motifs import petals
from repr.synthetic.packages import build
from repr.synthetic.text import write

PROMOTIONS = ("买二送一", "官方旗舰", "新品上市", "限时特惠", "整箱包邮", "满减", "正品保证", "家庭装", "次日达")


def draw_web_image(product: Product, side: int, rng: np.random.Generator) -> tuple[Image.Image, str]:
    """A square image of `side` pixels and the words on it, as a reader of text would find them."""
    large = 220 if side > 110 else 112
    image = _ground(product, large, rng)
    pieces = int(rng.choice([1, 2, 3], p=[0.66, 0.2, 0.14]))
    light = Light.random(rng, 1.4, 0.5)
    elevation, yaw = rng.uniform(2, 26), rng.normal(0, 0.32)
    width, height, depth = product.size
    flat = product.form.solid == "round" and not product.form.stands
    stance = (
        turned("y", rng.uniform(0.4, 1.2)) @ UPRIGHT
        if flat or (max(width, height) > 3.2 * min(width, height) and rng.random() < 0.4)
        else UPRIGHT
    )
    spread = width * (0.62 if pieces > 1 else 0)
    extent = max(height, width + spread * (pieces - 1) * 0.9) * (1.02 if not flat else 0.9)
    scale = large * rng.uniform(0.66, 0.88) / max(extent, 1e-6)
    cloud = build(product, SPACING / scale, rng)
    camera = Camera.at(elevation, 7 * max(product.size), scale, (large / 2, large * rng.uniform(0.48, 0.53)))
    middle = (pieces - 1) / 2
    for number in sorted(range(pieces), key=lambda i: -abs(i - middle)):
        offset = (number - middle) * spread
        turn = turned("z", yaw + rng.normal(0, 0.05)) @ stance
        posed = pose(cloud, turn, offset, abs(number - middle) * depth * 0.6, -height / 2)
        lowest = posed.place[2].min()
        sprite = look(posed, camera, light, product.form.gloss)
        if rng.random() < 0.8:
            _contact(image, sprite.left, sprite.top, sprite.image, abs(float(lowest)) > 0)
        image.paste(sprite.image, (sprite.left, sprite.top), sprite.image)
    words = product.brand.name + product.item if rng.random() < 0.8 else product.item
    if large > 110 or rng.random() < 0.5:
        words += _banner(image, product, rng)
    if rng.random() < 0.15:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.9)))
    return image.resize((side, side), Image.Resampling.LANCZOS), words


def _ground(product: Product, side: int, rng: np.random.Generator) -> Image.Image:
    chance = rng.random()
    if chance < 0.72:
        return Image.new("RGB", (side, side), (255, 255, 255))
    hue, pale = rng.random(), rng.uniform(0.08, 0.35)
    top, bottom = colour(hue, pale, 1.0), colour(hue + 0.05, pale * 0.4, 0.97)
    if chance < 0.92:
        share = np.linspace(0, 1, side)[:, None, None]
        rows = np.array(top) * (1 - share) + np.array(bottom) * share
        return Image.fromarray(np.broadcast_to(rows, (side, side, 3)).astype(np.uint8))
    image = Image.new("RGB", (side, side), bottom)
    draw = ImageDraw.Draw(image)
    for i in range(12):
        angle = np.pi * i / 6
        points = [(side / 2 + side * np.cos(t), side / 2 + side * np.sin(t)) for t in (angle, angle + np.pi / 12)]
        draw.polygon([(side / 2, side / 2), *points], fill=top)
    return image


def _contact(image: Image.Image, left: int, top: int, cut: Image.Image, lies: bool) -> None:
    """A soft dark patch where the product touches the ground."""
    width, height = cut.size
    patch = Image.new("L", (width + 20, 24), 0)
    ImageDraw.Draw(patch).ellipse((14, 8, width + 6, 18), fill=90 if lies else 60)
    patch = patch.filter(ImageFilter.GaussianBlur(4))
    image.paste((90, 90, 96), (left - 10, top + height - 16), patch)


def _banner(image: Image.Image, product: Product, rng: np.random.Generator) -> str:
    """Promotion over the image; returns what it says."""
    draw, side = ImageDraw.Draw(image), image.width
    words = ""
    red: Colour = [(222, 32, 40), (236, 96, 24), (198, 20, 80), (30, 90, 190)][int(rng.integers(4))]
    if rng.random() < 0.34:
        text = str(rng.choice(PROMOTIONS))
        height = side * rng.uniform(0.11, 0.16)
        draw.rectangle((0, side - height, side, side), fill=red)
        write(draw, text, (side * 0.04, side - height * 0.86, side * 0.62, side - height * 0.14), (255, 250, 230), 0.12)
        write(
            draw,
            f"¥{rng.integers(5, 99)}.{rng.integers(10)}",
            (side * 0.66, side - height * 0.9, side * 0.98, side - height * 0.1),
            (255, 240, 90),
            0.16,
        )
        words += text
    if rng.random() < 0.24:
        write(draw, product.brand.name, (side * 0.03, side * 0.03, side * 0.30, side * 0.12), product.brand.accent, 0.16)
    if rng.random() < 0.2:
        x, y, r = side * 0.86, side * 0.15, side * 0.11
        draw.polygon(petals(x, y, r * 1.15, 12, 0.15), fill=red)
        text = str(rng.choice(PROMOTIONS))[:2]
        write(draw, text, (x - r * 0.8, y - r * 0.5, x + r * 0.8, y + r * 0.5), (255, 255, 240), 0.14)
        words += text
    if rng.random() < 0.14:
        text = product.flavour + product.item
        write(draw, text, (side * 0.03, side * 0.2, side * 0.12, side * 0.2 + side * 0.09 * len(text)), (60, 60, 66), 0.1)
        words += text
    return words
