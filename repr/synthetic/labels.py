"""What is printed on a package: the front, the back, the side and the lid, as flat images."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from repr.arrays import Pixels
from repr.synthetic.colours import Colour, shade
from repr.synthetic.identity import Product
from repr.synthetic.motifs import MOTIFS, Draw, petals
from repr.synthetic.text import small_print, write

LONG_SIDE = 256  # pixels of the longer side of a front
Box = tuple[float, float, float, float]  # left, top, right, bottom as shares of the label


@dataclass(frozen=True)
class Layout:
    """Where things stand on a front; `motif` is x, y and radius as a share of the shorter side."""

    logo: Box
    title: Box
    motif: tuple[float, float, float]
    band: tuple[tuple[float, float], ...]  # a polygon
    mark: tuple[float, float]


def _strip(left: float, top: float, right: float, bottom: float) -> tuple[tuple[float, float], ...]:
    return ((left, top), (right, top), (right, bottom), (left, bottom))


_UPRIGHT: dict[str, Layout] = {
    "logo top": Layout((0.20, 0.07, 0.80, 0.22), (0.12, 0.24, 0.88, 0.40), (0.5, 0.62, 0.34), _strip(0, 0.82, 1, 0.97), (0.84, 0.74)),
    "logo left": Layout((0.08, 0.09, 0.58, 0.24), (0.66, 0.10, 0.92, 0.60), (0.36, 0.58, 0.34), _strip(0, 0.80, 1, 1), (0.82, 0.72)),
    "band middle": Layout((0.22, 0.08, 0.78, 0.27), (0.12, 0.34, 0.88, 0.50), (0.5, 0.76, 0.30), _strip(0, 0.31, 1, 0.53), (0.86, 0.88)),
    "diagonal": Layout((0.08, 0.08, 0.62, 0.23), (0.10, 0.26, 0.80, 0.41), (0.60, 0.64, 0.33), ((0, 0.62), (1, 0.42), (1, 0.58), (0, 0.80)), (0.18, 0.88)),
    "frame": Layout((0.26, 0.12, 0.74, 0.25), (0.16, 0.70, 0.84, 0.85), (0.5, 0.48, 0.36), _strip(0, 0, 1, 1), (0.16, 0.16)),
}  # fmt: skip
_WIDE: dict[str, Layout] = {
    "logo top": Layout((0.06, 0.12, 0.40, 0.42), (0.06, 0.48, 0.52, 0.80), (0.74, 0.46, 0.40), _strip(0, 0.84, 1, 1), (0.93, 0.18)),
    "logo left": Layout((0.08, 0.30, 0.34, 0.70), (0.38, 0.16, 0.72, 0.52), (0.84, 0.50, 0.36), _strip(0.38, 0.60, 1, 0.86), (0.50, 0.74)),
    "band middle": Layout((0.06, 0.10, 0.34, 0.34), (0.08, 0.38, 0.62, 0.68), (0.82, 0.50, 0.38), _strip(0, 0.34, 1, 0.72), (0.94, 0.86)),
    "diagonal": Layout((0.05, 0.10, 0.38, 0.40), (0.06, 0.50, 0.46, 0.84), (0.76, 0.54, 0.40), ((0.42, 1), (0.58, 0), (0.74, 0), (0.58, 1)), (0.94, 0.18)),
    "frame": Layout((0.10, 0.16, 0.42, 0.42), (0.10, 0.50, 0.54, 0.82), (0.76, 0.50, 0.36), _strip(0, 0, 1, 1), (0.92, 0.20)),
}  # fmt: skip


@dataclass(frozen=True)
class Labels:
    """The printed faces as uint8 arrays (height, width, 3)."""

    front: Pixels
    back: Pixels
    side: Pixels
    lid: Pixels


def draw_labels(product: Product, front_size: tuple[float, float], side_size: tuple[float, float]) -> Labels:
    """All faces of `product`; sizes are centimetres (width, height) and set the proportions."""
    front = _canvas(product, front_size)
    back = _canvas(product, front_size)
    side = _canvas(product, side_size, 0.6)
    lid = Image.new("RGB", (160, 160), product.ground)
    for face, paint in ((front, _front), (back, _back), (side, _side), (lid, _lid)):
        (_loud if product.loud else paint)(product, face)
    return Labels(*(np.asarray(face) for face in (front, back, side, lid)))


def _canvas(product: Product, size: tuple[float, float], share: float = 1.0) -> Image.Image:
    scale = LONG_SIDE * share / max(size)
    return Image.new("RGB", (max(24, round(size[0] * scale)), max(24, round(size[1] * scale))), product.ground)


def _scaled(box: Box, width: int, height: int) -> Box:
    return box[0] * width, box[1] * height, box[2] * width, box[3] * height


def _front(product: Product, image: Image.Image) -> None:
    rng = np.random.default_rng([product.look, 1])
    brand, draw = product.brand, ImageDraw.Draw(image)
    width, height = image.size
    layout = (_WIDE if width > 1.25 * height else _UPRIGHT)[brand.layout]
    _pattern(product, draw, width, height)
    if brand.layout == "frame":
        edge = 0.06 * min(width, height)
        draw.rectangle((0, 0, width, height), fill=product.band)
        draw.rounded_rectangle((edge, edge, width - edge, height - edge), edge * 1.5, fill=product.ground)
        draw.rounded_rectangle((edge * 1.7, edge * 1.7, width - edge * 1.7, height - edge * 1.7), edge, fill=brand.second)
    else:
        band = [(x * width, y * height) for x, y in layout.band]
        draw.polygon(band, fill=product.band)
        draw.line([band[0], band[1]], fill=brand.second, width=3)
    _motifs(product, draw, layout, width, height, rng)
    _logo(product, draw, _scaled(layout.logo, width, height))
    _title(product, draw, _scaled(layout.title, width, height))
    side = min(width, height)
    _mark(product, draw, layout.mark[0] * width, layout.mark[1] * height, 0.085 * side)
    write(draw, product.amount.replace("件", ""), (0.04 * width, height * 0.93, 0.36 * width, height * 0.985), brand.ink)


def _loud(product: Product, image: Image.Image) -> None:
    """A face of what is printed to be told from afar: the motif as large as fits, dark on a light plate, more than once on a long face.

    The flavour's colour is at both ends, with the brand's emblem in one and the item's word in the other.
    """
    draw, brand = ImageDraw.Draw(image), product.brand
    width, height = image.size
    _pattern(product, draw, width, height)
    short, upright = min(width, height), height >= width
    end = max(0.14 * short, 0.07 * max(width, height))
    for start in (0, max(width, height) - end):
        draw.rectangle((0, start, width, start + end) if upright else (start, 0, start + end, height), fill=product.band)
    logo = (0.15 * width, 0, 0.85 * width, end) if upright else (0, 0.15 * height, end, 0.85 * height)
    title = (0.1 * width, height - end, 0.9 * width, height) if upright else (width - end, 0.1 * height, width, 0.9 * height)
    _logo(product, draw, logo)
    write(draw, product.item, title, brand.ink, 0.16)
    room = max(width, height) - 2 * end
    count = max(1, round(room / short / 1.05))
    radius = 0.5 * min(0.96 * short, 0.98 * room / count)
    dark = shade(product.band, -0.45) if sum(product.band) > 300 else product.band
    for i in range(count):
        along = end + (i + 0.5) * room / count
        x, y = (width / 2, along) if upright else (along, height / 2)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=shade(brand.second, 0.6))
        MOTIFS[product.motif](draw, x, y, 0.78 * radius, dark, brand.accent)


def _title(product: Product, draw: Draw, box: Box) -> None:
    """The item's word large, on an outline so that it reads on any ground, with the flavour's word below it."""
    brand = product.brand
    left, top, right, bottom = box
    upright = bottom - top > right - left
    cut = 0.70
    big = (left, top, left + (right - left) * cut, bottom) if upright else (left, top, right, top + (bottom - top) * cut)
    small = (big[2], top, right, bottom) if upright else (left, big[3], right, bottom)
    halo = (250, 250, 246) if sum(brand.ink) < 380 else shade(product.ground, -0.65)
    write(draw, product.item, big, halo, 0.30)
    write(draw, product.item, big, brand.ink, 0.14)
    write(draw, product.flavour, small, halo, 0.12)


def _logo(product: Product, draw: Draw, box: Box) -> None:
    brand = product.brand
    left, top, right, bottom = box
    x, y = (left + right) / 2, (top + bottom) / 2
    half_width, half_height = (right - left) / 2, (bottom - top) / 2
    fill, ink = brand.accent, (252, 252, 250)
    if brand.emblem == "ellipse":
        draw.ellipse(box, fill=fill, outline=ink, width=2)
    elif brand.emblem == "shield":
        draw.polygon([(left, top), (right, top), (right, y), (x, bottom + half_height * 0.6), (left, y)], fill=fill)
    elif brand.emblem == "ribbon":
        notch = half_height * 0.6
        draw.polygon([(left, top), (right, top), (right - notch, y), (right, bottom), (left, bottom), (left + notch, y)], fill=fill)
    elif brand.emblem == "disc":
        draw.ellipse((x - half_height * 1.5, y - half_height * 1.5, x + half_height * 1.5, y + half_height * 1.5), fill=fill)
    elif brand.emblem == "hexagon":
        draw.polygon(
            [
                (left, y),
                (left + half_height, top),
                (right - half_height, top),
                (right, y),
                (right - half_height, bottom),
                (left + half_height, bottom),
            ],
            fill=fill,
        )
    else:
        draw.rounded_rectangle(box, half_height * 0.4, fill=fill, outline=ink, width=2)
    write(
        draw,
        brand.name,
        (left + half_width * 0.22, top + half_height * 0.3, right - half_width * 0.22, bottom - half_height * 0.3),
        ink,
        0.15,
    )


def _motifs(product: Product, draw: Draw, layout: Layout, width: int, height: int, rng: np.random.Generator) -> None:
    paint = MOTIFS[product.motif]
    side = min(width, height)
    x, y, r = layout.motif[0] * width, layout.motif[1] * height, layout.motif[2] * side
    x, y = x + rng.uniform(-0.03, 0.03) * side, y + rng.uniform(-0.03, 0.03) * side
    main, other = product.band, product.brand.accent
    plate = {"one": 0.0, "pair": 0.0, "ring": 1.0, "row": 0.0, "scatter": 1.15}[product.arrangement]
    if plate:
        draw.ellipse((x - r * plate, y - r * plate, x + r * plate, y + r * plate), fill=shade(product.brand.second, 0.4))
    if product.arrangement == "one":
        draw.ellipse((x - r * 1.05, y - r * 1.05, x + r * 1.05, y + r * 1.05), outline=shade(product.brand.second, 0.5), width=3)
        paint(draw, x, y, r * 0.9, main, other)
    elif product.arrangement == "pair":
        paint(draw, x - r * 0.42, y - r * 0.35, r * 0.62, main, other)
        paint(draw, x + r * 0.42, y + r * 0.38, r * 0.62, shade(main, 0.25), other)
    elif product.arrangement == "ring":
        for i in range(5):
            angle = 2 * math.pi * i / 5 - math.pi / 2
            paint(draw, x + 0.62 * r * math.cos(angle), y + 0.62 * r * math.sin(angle), r * 0.34, main, other)
    elif product.arrangement == "row":
        step = (0.62, 0.0) if width >= height * 0.6 else (0.0, 0.62)
        for i in (-1, 0, 1):
            paint(draw, x + i * step[0] * r, y + i * step[1] * r, r * 0.40, (main, other, main)[i + 1], (other, main, other)[i + 1])
    else:
        for i in range(8):
            angle, radius = i * 2.4, 0.32 * math.sqrt(i + 0.3) * r
            paint(draw, x + radius * math.cos(angle), y + radius * math.sin(angle), r * 0.26, (main, other)[i % 3 == 2], other)


def _mark(product: Product, draw: Draw, x: float, y: float, r: float) -> None:
    fill = (214, 40, 36) if product.brand.accent[0] < 170 else (250, 206, 40)
    if product.mark == "disc":
        draw.ellipse((x - r, y - r, x + r, y + r), fill=fill, outline=(250, 250, 246))
    elif product.mark == "star":
        draw.polygon(petals(x, y, r * 1.2, 8, 0.35), fill=fill)
    elif product.mark == "square":
        draw.rectangle((x - r, y - r, x + r, y + r), fill=fill)
    elif product.mark == "flag":
        draw.polygon([(x - r, y - r), (x + r * 1.4, y - r * 0.3), (x - r, y + r)], fill=fill)


def _pattern(product: Product, draw: Draw, width: int, height: int) -> None:
    """The brand's ground behind everything else."""
    brand = product.brand
    light, side = brand.second, max(width, height)
    middle = (width * 0.5, height * 0.6)
    if brand.pattern == "rays":
        for i in range(12):
            a, b = math.pi * i / 6, math.pi * (i + 0.5) / 6
            draw.polygon(
                [middle, *[(middle[0] + side * 1.5 * math.cos(t), middle[1] + side * 1.5 * math.sin(t)) for t in (a, b)]],
                fill=shade(product.ground, 0.18),
            )
    elif brand.pattern == "burst":
        draw.polygon(petals(*middle, side * 0.62, 14, 0.22), fill=shade(product.ground, 0.22))
        draw.polygon(petals(*middle, side * 0.48, 14, 0.22), fill=light)
    elif brand.pattern in ("wave", "swirl"):
        rise = 0.10 if brand.pattern == "wave" else 0.22
        for level, fill in ((0.46, shade(product.ground, 0.25)), (0.58, light)):
            line = [(x, height * (level + rise * math.sin(2 * math.pi * x / width + level * 9))) for x in range(0, width + 8, 8)]
            draw.polygon([*line, (width, height), (0, height)], fill=fill)
    elif brand.pattern == "stripes":
        step = side / 9
        for i in range(-9, 18):
            x = i * step
            draw.polygon(
                [(x, 0), (x + step * 0.5, 0), (x + step * 0.5 - height * 0.4, height), (x - height * 0.4, height)],
                fill=shade(product.ground, 0.16),
            )
    elif brand.pattern in ("dots", "spots"):
        rng = np.random.default_rng([product.look, 2])
        step = side / (8 if brand.pattern == "dots" else 4)
        for i in range(int(width / step) + 1):
            for j in range(int(height / step) + 1):
                r = step * (0.24 if brand.pattern == "dots" else rng.uniform(0.2, 0.42))
                x, y = (i + 0.5 * (j % 2)) * step, j * step
                draw.ellipse((x - r, y - r, x + r, y + r), fill=light)
    elif brand.pattern == "grid":
        step = side / 10
        for i in range(1, 11):
            draw.line([(i * step, 0), (i * step, height)], fill=light, width=2)
            draw.line([(0, i * step), (width, i * step)], fill=light, width=2)
    elif brand.pattern == "split":
        draw.rectangle((0, height * 0.45, width, height), fill=light)
    elif brand.pattern == "shield":
        draw.polygon(
            [
                (width * 0.1, height * 0.05),
                (width * 0.9, height * 0.05),
                (width * 0.9, height * 0.7),
                (width * 0.5, height * 0.97),
                (width * 0.1, height * 0.7),
            ],
            fill=light,
        )
    elif brand.pattern == "window":
        _window(product, draw, width, height)


def _window(product: Product, draw: Draw, width: int, height: int) -> None:
    """A clear window through which the goods show."""
    rng = np.random.default_rng([product.look, 3])
    box = (width * 0.08, height * 0.42, width * 0.92, height * 0.94)
    goods = shade(product.band, -0.15)
    draw.rounded_rectangle(box, width * 0.12, fill=shade(goods, -0.4))
    radius = min(width, height) * 0.055
    for _ in range(90):
        x, y = rng.uniform(box[0] + radius, box[2] - radius), rng.uniform(box[1] + radius, box[3] - radius)
        stretch = rng.uniform(0.7, 1.4)
        draw.ellipse(
            (x - radius * stretch, y - radius / stretch, x + radius * stretch, y + radius / stretch),
            fill=shade(goods, float(rng.uniform(-0.3, 0.35))),
        )


def _back(product: Product, image: Image.Image) -> None:
    """The back is much the same on every package: small print, a table, a bar code; brand and flavour show at the edges."""
    rng = np.random.default_rng([product.look, 4])
    brand, draw = product.brand, ImageDraw.Draw(image)
    width, height = image.size
    side = min(width, height)
    edge = 0.05 * side
    draw.rectangle((0, 0, width, height), fill=product.ground)
    draw.rectangle((0, height * 0.80, width, height * 0.97), fill=product.band)
    draw.rounded_rectangle((edge, height * 0.22, width - edge, height * 0.78), edge, fill=(244, 243, 238))
    _logo(product, draw, (width * 0.08, height * 0.05, width * 0.60, height * 0.18))
    MOTIFS[product.motif](draw, width * 0.80, height * 0.115, side * 0.10, product.band, brand.accent)
    ink: Colour = (70, 70, 74)
    small_print(draw, (edge * 2, height * 0.26, width * 0.60, height * 0.56), ink, rng, max(4.0, side * 0.035))
    left, top, right, bottom = width * 0.64, height * 0.26, width - edge * 2, height * 0.56
    draw.rectangle((left, top, right, bottom), outline=ink)
    for i in range(1, 5):
        draw.line([(left, top + (bottom - top) * i / 5), (right, top + (bottom - top) * i / 5)], fill=ink)
    x, end = edge * 2.2, width * 0.48
    while x < end:
        bar = float(rng.choice([1.0, 2.0, 3.0])) * width / 240
        draw.rectangle((x, height * 0.61, x + bar, height * 0.75), fill=(20, 20, 20))
        x += bar + float(rng.choice([1.5, 2.5])) * width / 240
    write(draw, product.item, (width * 0.54, height * 0.62, width - edge * 2, height * 0.74), ink)


def _side(product: Product, image: Image.Image) -> None:
    rng = np.random.default_rng([product.look, 5])
    draw = ImageDraw.Draw(image)
    width, height = image.size
    _pattern(product, draw, width, height)
    draw.rectangle((0, height * 0.80, width, height), fill=product.band)
    long, short = max(width, height), min(width, height)
    box = (
        (width * 0.2, height * 0.08, width * 0.8, height * 0.08 + long * 0.4)
        if height > width
        else (width * 0.08, height * 0.2, width * 0.5, height * 0.7)
    )
    write(draw, product.brand.name, box, product.brand.ink, 0.14)
    if height > width * 1.4:
        small_print(draw, (width * 0.15, height * 0.52, width * 0.85, height * 0.76), product.brand.ink, rng, max(3.0, short * 0.08))


def _lid(product: Product, image: Image.Image) -> None:
    draw = ImageDraw.Draw(image)
    _pattern(product, draw, 160, 160)
    draw.pieslice((0, 0, 160, 160), 20, 160, fill=product.band)
    MOTIFS[product.motif](draw, 108, 62, 30, product.band, product.brand.accent)
    _logo(product, draw, (18, 34, 84, 66))
    write(draw, product.item, (30, 104, 130, 142), (252, 252, 248), 0.15)
