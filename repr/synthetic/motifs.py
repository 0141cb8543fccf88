"""The drawings on packages: one small drawing a motif, in three colours."""

from __future__ import annotations

import math
from collections.abc import Callable

from PIL import ImageDraw

from repr.synthetic.colours import Colour, shade

Draw = ImageDraw.ImageDraw
Point = tuple[float, float]


def petals(x: float, y: float, r: float, n: int, depth: float, turn: float = 0.0) -> list[Point]:
    """A star (depth > 0) or flower-like outline with n points round (x, y)."""
    points = []
    for i in range(2 * n):
        radius = r if i % 2 == 0 else r * (1 - depth)
        angle = math.pi * i / n + turn - math.pi / 2
        points.append((x + radius * math.cos(angle), y + radius * math.sin(angle)))
    return points


def oval(draw: Draw, x: float, y: float, rx: float, ry: float, fill: Colour) -> None:
    """A filled ellipse round (x, y) with the radii rx and ry, in pixels."""
    draw.ellipse((x - rx, y - ry, x + rx, y + ry), fill=fill)


def leaf_points(x: float, y: float, r: float, angle: float, fat: float = 0.42) -> list[Point]:
    """A lens from (x, y) outwards at `angle`, r long."""
    points = []
    for i in range(13):
        t = i / 6 if i <= 6 else (12 - i) / 6
        side = 1 if i <= 6 else -1
        along, across = r * t, side * r * fat * math.sin(math.pi * t) / 1.3
        points.append((x + along * math.cos(angle) - across * math.sin(angle), y + along * math.sin(angle) + across * math.cos(angle)))
    return points


def _slices(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    for dx, dy in ((-0.45, 0.25), (0.45, 0.15), (0.0, -0.25)):
        oval(d, x + dx * r, y + dy * r, r * 0.62, r * 0.48, shade(a, -0.35))
        oval(d, x + dx * r, y + dy * r, r * 0.54, r * 0.40, a)


def _prawn(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    d.arc((x - r * 0.8, y - r * 0.8, x + r * 0.8, y + r * 0.8), 150, 400, fill=a, width=max(2, int(r * 0.42)))
    for angle in range(160, 400, 40):
        t = math.radians(angle)
        d.line(
            [(x + r * 0.4 * math.cos(t), y + r * 0.4 * math.sin(t)), (x + r * 0.8 * math.cos(t), y + r * 0.8 * math.sin(t))],
            fill=b,
            width=max(1, int(r * 0.08)),
        )
    d.polygon(leaf_points(x + r * 0.5, y + r * 0.5, r * 0.6, 1.9, 0.7), fill=a)


def _corn(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    d.polygon(leaf_points(x, y + r, r * 2.0, -math.pi / 2, 0.4), fill=(246, 206, 60))
    for i in range(5):
        for j in (-1, 0, 1):
            oval(d, x + j * r * 0.2, y - r * 0.6 + i * r * 0.3, r * 0.08, r * 0.11, (214, 160, 30))
    d.polygon(leaf_points(x, y + r, r * 1.5, -math.pi / 2 - 0.55, 0.3), fill=b)
    d.polygon(leaf_points(x, y + r, r * 1.5, -math.pi / 2 + 0.55, 0.3), fill=b)


def _rice(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    for i in range(9):
        t = i * 2.4
        rr = r * 0.28 * math.sqrt(i)
        d.polygon(leaf_points(x + rr * math.cos(t), y + rr * math.sin(t), r * 0.5, t * 1.7, 0.5), fill=shade(a, 0.2 * (i % 3)))


def _rings(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    for dx, dy in ((-0.42, 0.3), (0.45, 0.25), (0.0, -0.4)):
        box = (x + dx * r - r * 0.5, y + dy * r - r * 0.5, x + dx * r + r * 0.5, y + dy * r + r * 0.5)
        d.ellipse(box, outline=a, width=max(2, int(r * 0.2)))


def _ring(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    oval(d, x, y, r, r, a)
    oval(d, x, y, r * 0.8, r * 0.8, shade(a, 0.35))
    oval(d, x, y, r * 0.38, r * 0.38, b)


def _nuts(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    for i in range(6):
        t = i * 1.05
        d.polygon(
            leaf_points(x + r * 0.35 * math.cos(t), y + r * 0.35 * math.sin(t), r * 0.75, t + 0.5, 0.75),
            fill=(206, 160, 96) if i % 2 else (176, 122, 66),
        )
        oval(d, x + r * 0.6 * math.cos(t), y + r * 0.6 * math.sin(t), r * 0.12, r * 0.12, b)


def _bean(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    for dx, dy in ((-0.5, 0.2), (0.45, 0.35), (0.05, -0.45)):
        oval(d, x + dx * r, y + dy * r, r * 0.5, r * 0.36, shade(a, -0.3))
        d.arc(
            (x + dx * r - r * 0.5, y + dy * r - r * 0.2, x + dx * r + r * 0.5, y + dy * r + r * 0.3),
            190,
            350,
            fill=shade(a, 0.5),
            width=max(1, int(r * 0.09)),
        )


def _seeds(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    for i in range(10):
        t = i * 2.4
        rr = r * 0.3 * math.sqrt(i)
        d.polygon(
            leaf_points(x + rr * math.cos(t), y + rr * math.sin(t), r * 0.42, t, 0.6), fill=(52, 46, 44) if i % 2 else (236, 230, 214)
        )


def _fruit(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    oval(d, x, y + r * 0.1, r * 0.85, r * 0.82, a)
    oval(d, x - r * 0.3, y - r * 0.2, r * 0.25, r * 0.2, shade(a, 0.45))
    d.line([(x, y - r * 0.6), (x + r * 0.15, y - r)], fill=(90, 62, 34), width=max(1, int(r * 0.12)))
    d.polygon(leaf_points(x + r * 0.1, y - r * 0.8, r * 0.8, -0.3), fill=(66, 148, 62))


def _grapes(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    for row, n in enumerate((4, 3, 2, 1)):
        for i in range(n):
            oval(
                d,
                x + (i - (n - 1) / 2) * r * 0.46,
                y - r * 0.35 + row * r * 0.4,
                r * 0.27,
                r * 0.27,
                a if (i + row) % 2 else shade(a, -0.2),
            )
    d.polygon(leaf_points(x, y - r * 0.6, r * 0.8, -0.5), fill=(66, 148, 62))


def _mushroom(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    d.rounded_rectangle((x - r * 0.25, y - r * 0.1, x + r * 0.25, y + r * 0.9), r * 0.2, fill=(240, 226, 200))
    d.pieslice((x - r, y - r * 0.85, x + r, y + r * 0.85), 180, 360, fill=a)
    for dx, dy in ((-0.5, -0.25), (0.0, -0.5), (0.5, -0.25)):
        oval(d, x + dx * r, y + dy * r, r * 0.13, r * 0.1, b)


def _cloud(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    for dx, dy, s in ((-0.5, 0.15, 0.45), (0.5, 0.15, 0.45), (0.0, -0.2, 0.6), (0.0, 0.25, 0.5)):
        oval(d, x + dx * r, y + dy * r, s * r, s * r, a)


def _flower(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    for i in range(6):
        t = i * math.pi / 3
        oval(d, x + r * 0.55 * math.cos(t), y + r * 0.55 * math.sin(t), r * 0.38, r * 0.38, a)
    oval(d, x, y, r * 0.3, r * 0.3, b)


def _mug(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    d.ellipse((x + r * 0.35, y - r * 0.2, x + r, y + r * 0.5), outline=b, width=max(2, int(r * 0.16)))
    d.polygon(
        [(x - r * 0.8, y - r * 0.35), (x + r * 0.65, y - r * 0.35), (x + r * 0.45, y + r * 0.85), (x - r * 0.6, y + r * 0.85)], fill=b
    )
    oval(d, x - r * 0.08, y - r * 0.35, r * 0.72, r * 0.22, a)
    for dx in (-0.35, 0.15):
        d.arc((x + dx * r - r * 0.15, y - r, x + dx * r + r * 0.15, y - r * 0.55), 90, 300, fill=shade(a, 0.5), width=max(1, int(r * 0.1)))


def _wheat(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    d.line([(x, y + r), (x, y - r * 0.8)], fill=a, width=max(1, int(r * 0.1)))
    for i in range(5):
        for side in (-1, 1):
            d.polygon(
                leaf_points(x, y - r * 0.6 + i * r * 0.32, r * 0.62, -math.pi / 2 + side * 0.75, 0.5), fill=a if i % 2 else shade(a, -0.15)
            )


def _drop(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    d.polygon([(x, y - r), (x + r * 0.56, y + r * 0.15), (x - r * 0.56, y + r * 0.15)], fill=a)
    oval(d, x, y + r * 0.35, r * 0.62, r * 0.6, a)
    oval(d, x - r * 0.22, y + r * 0.35, r * 0.16, r * 0.26, shade(a, 0.6))


def _noodles(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    for i in range(4):
        s = r * (0.95 - 0.2 * i)
        d.arc(
            (x - s, y - s * 0.95, x + s, y + s * 0.65),
            180 - 12 * i,
            375 + 12 * i,
            fill=(244, 206, 112) if i % 2 else (226, 174, 74),
            width=max(2, int(r * 0.15)),
        )
    d.pieslice((x - r, y - r * 0.8, x + r, y + r), 0, 180, fill=a)
    oval(d, x + r * 0.3, y - r * 0.05, r * 0.22, r * 0.17, (252, 250, 240))
    oval(d, x + r * 0.3, y - r * 0.05, r * 0.11, r * 0.09, (246, 160, 40))


def _bowl(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    oval(d, x, y - r * 0.1, r, r * 0.34, b)
    d.pieslice((x - r, y - r * 0.95, x + r, y + r * 0.85), 0, 180, fill=shade(a, -0.15))
    for i in range(5):
        oval(d, x + (i - 2) * r * 0.34, y - r * 0.12, r * 0.17, r * 0.13, a if i % 2 else shade(a, 0.5))


def _chilli(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    for turn in (0.0, 0.7):
        d.polygon(leaf_points(x - r * 0.7, y - r * 0.5 + turn * r * 0.4, r * 1.8, 0.35 + turn * 0.4, 0.24), fill=(214, 34, 30))
        oval(d, x - r * 0.7, y - r * 0.5 + turn * r * 0.4, r * 0.16, r * 0.16, (60, 130, 50))


def _fish(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    d.polygon([(x + r * 0.4, y), (x + r, y - r * 0.5), (x + r, y + r * 0.5)], fill=shade(a, -0.2))
    d.polygon(leaf_points(x - r, y, r * 1.7, 0.0, 0.5), fill=a)
    oval(d, x - r * 0.62, y - r * 0.1, r * 0.1, r * 0.1, (20, 20, 20))
    d.arc((x - r * 0.7, y - r * 0.4, x - r * 0.1, y + r * 0.4), 300, 60, fill=b, width=max(1, int(r * 0.1)))


def _biscuit(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    d.polygon(petals(x, y, r, 14, 0.14), fill=(206, 150, 78))
    oval(d, x, y, r * 0.76, r * 0.76, (232, 186, 116))
    for i in range(6):
        t = i * 1.05
        oval(d, x + r * 0.45 * math.cos(t), y + r * 0.45 * math.sin(t), r * 0.11, r * 0.11, shade(a, -0.4))
    oval(d, x, y, r * 0.13, r * 0.13, shade(a, -0.4))


def _grid(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    d.rounded_rectangle((x - r * 0.9, y - r * 0.7, x + r * 0.9, y + r * 0.7), r * 0.1, fill=shade(a, -0.35))
    for i in range(4):
        for j in range(3):
            cx, cy = x - r * 0.64 + i * r * 0.43, y - r * 0.44 + j * r * 0.44
            d.rectangle((cx - r * 0.16, cy - r * 0.16, cx + r * 0.16, cy + r * 0.16), fill=shade(a, 0.15))


def _cake(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    d.rectangle((x - r * 0.85, y - r * 0.1, x + r * 0.85, y + r * 0.8), fill=(238, 200, 134))
    d.rectangle((x - r * 0.85, y + r * 0.25, x + r * 0.85, y + r * 0.42), fill=a)
    for i in range(4):
        oval(d, x - r * 0.63 + i * r * 0.42, y - r * 0.1, r * 0.25, r * 0.2, (255, 250, 240))
    oval(d, x, y - r * 0.45, r * 0.26, r * 0.28, a)


def _bubbles(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    for dx, dy, s in ((-0.4, 0.4, 0.5), (0.45, 0.15, 0.42), (-0.1, -0.45, 0.34), (0.5, -0.6, 0.22), (-0.65, -0.4, 0.18)):
        oval(d, x + dx * r, y + dy * r, s * r, s * r, shade(a, 0.1))
        oval(d, x + dx * r - s * r * 0.3, y + dy * r - s * r * 0.3, s * r * 0.3, s * r * 0.3, shade(a, 0.75))


def _leaf(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    for angle in (-1.9, -0.9, 0.2):
        d.polygon(leaf_points(x - r * 0.2, y + r * 0.6, r * 1.5, angle, 0.4), fill=(60, 150, 70) if angle != -0.9 else a)
        d.line(
            [(x - r * 0.2, y + r * 0.6), (x - r * 0.2 + r * 1.3 * math.cos(angle), y + r * 0.6 + r * 1.3 * math.sin(angle))],
            fill=b,
            width=max(1, int(r * 0.06)),
        )


def _bolt(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    d.polygon(
        [
            (x + r * 0.25, y - r),
            (x - r * 0.6, y + r * 0.15),
            (x - r * 0.05, y + r * 0.15),
            (x - r * 0.25, y + r),
            (x + r * 0.6, y - r * 0.2),
            (x + r * 0.05, y - r * 0.2),
        ],
        fill=a,
    )


def _mountain(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    oval(d, x + r * 0.5, y - r * 0.55, r * 0.26, r * 0.26, b)
    d.polygon([(x - r, y + r * 0.7), (x - r * 0.25, y - r * 0.7), (x + r * 0.45, y + r * 0.7)], fill=a)
    d.polygon([(x - r * 0.1, y + r * 0.7), (x + r * 0.45, y - r * 0.2), (x + r, y + r * 0.7)], fill=shade(a, -0.25))


def _cow(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    oval(d, x, y + r * 0.1, r * 0.72, r * 0.85, (252, 252, 250))
    oval(d, x - r * 0.35, y - r * 0.2, r * 0.3, r * 0.4, (40, 38, 40))
    for side in (-1, 1):
        oval(d, x + side * r * 0.82, y - r * 0.35, r * 0.28, r * 0.16, (40, 38, 40))
        oval(d, x + side * r * 0.28, y - r * 0.1, r * 0.1, r * 0.12, (20, 20, 20) if side > 0 else (250, 250, 250))
    oval(d, x, y + r * 0.6, r * 0.5, r * 0.32, (240, 180, 176))


def _heart(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    oval(d, x - r * 0.42, y - r * 0.25, r * 0.5, r * 0.5, a)
    oval(d, x + r * 0.42, y - r * 0.25, r * 0.5, r * 0.5, a)
    d.polygon([(x - r * 0.86, y + r * 0.02), (x + r * 0.86, y + r * 0.02), (x, y + r)], fill=a)


def _swirl(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    oval(d, x, y, r, r, shade(a, 0.65))
    points = [(x + r * 0.9 * (i / 40) * math.cos(i * 0.4), y + r * 0.9 * (i / 40) * math.sin(i * 0.4)) for i in range(41)]
    d.line(points, fill=a, width=max(2, int(r * 0.2)), joint="curve")


def _dots(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    for i in range(7):
        t = i * 1.05
        rr = 0 if i == 6 else r * 0.66
        oval(d, x + rr * math.cos(t), y + rr * math.sin(t), r * 0.28, r * 0.28, (a, b, shade(a, 0.5))[i % 3])


def _bear(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    for side in (-1, 1):
        oval(d, x + side * r * 0.6, y - r * 0.6, r * 0.32, r * 0.32, shade(a, -0.2))
    oval(d, x, y, r * 0.85, r * 0.8, a)
    oval(d, x, y + r * 0.3, r * 0.36, r * 0.3, shade(a, 0.6))
    for side in (-1, 1):
        oval(d, x + side * r * 0.32, y - r * 0.15, r * 0.1, r * 0.12, (30, 26, 26))
    oval(d, x, y + r * 0.2, r * 0.12, r * 0.09, (30, 26, 26))


def _star(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    d.polygon(petals(x, y, r, 5, 0.58), fill=a)


def _bird(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    oval(d, x - r * 0.1, y + r * 0.15, r * 0.75, r * 0.6, a)
    oval(d, x + r * 0.5, y - r * 0.45, r * 0.36, r * 0.36, a)
    d.polygon([(x + r * 0.8, y - r * 0.5), (x + r * 1.1, y - r * 0.35), (x + r * 0.8, y - r * 0.25)], fill=(246, 170, 40))
    d.polygon(petals(x + r * 0.45, y - r * 0.85, r * 0.22, 3, 0.5), fill=(214, 34, 30))
    d.polygon(leaf_points(x - r * 0.3, y + r * 0.1, r * 0.9, 2.7, 0.6), fill=shade(a, -0.3))


def _tooth(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    d.rounded_rectangle((x - r * 0.7, y - r * 0.8, x + r * 0.7, y + r * 0.3), r * 0.45, fill=(252, 254, 255))
    for side in (-1, 1):
        d.polygon(leaf_points(x + side * r * 0.38, y - r * 0.2, r * 1.15, math.pi / 2, 0.42), fill=(252, 254, 255))
    d.polygon(petals(x + r * 0.4, y - r * 0.45, r * 0.34, 4, 0.7), fill=b)


def _feather(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    d.polygon(leaf_points(x - r * 0.8, y + r * 0.7, r * 2.1, -0.75, 0.36), fill=shade(a, 0.35))
    d.line([(x - r, y + r * 0.9), (x + r * 0.6, y - r * 0.65)], fill=a, width=max(1, int(r * 0.09)))


def _pencil(d: Draw, x: float, y: float, r: float, a: Colour, b: Colour) -> None:
    d.polygon([(x - r * 0.9, y + r * 0.55), (x + r * 0.45, y - r * 0.8), (x + r * 0.8, y - r * 0.45), (x - r * 0.55, y + r * 0.9)], fill=a)
    d.polygon([(x - r * 0.9, y + r * 0.55), (x - r * 0.55, y + r * 0.9), (x - r, y + r)], fill=(240, 206, 160))


MOTIFS: dict[str, Callable[[Draw, float, float, float, Colour, Colour], None]] = {
    "slices": _slices, "prawn": _prawn, "corn": _corn, "rice": _rice, "rings": _rings, "ring": _ring, "nuts": _nuts, "bean": _bean,
    "seeds": _seeds, "fruit": _fruit, "grapes": _grapes, "mushroom": _mushroom, "cloud": _cloud, "flower": _flower, "mug": _mug,
    "wheat": _wheat, "drop": _drop, "noodles": _noodles, "bowl": _bowl, "chilli": _chilli, "fish": _fish, "biscuit": _biscuit,
    "grid": _grid, "cake": _cake, "bubbles": _bubbles, "leaf": _leaf, "bolt": _bolt, "mountain": _mountain, "cow": _cow,
    "heart": _heart, "swirl": _swirl, "dots": _dots, "bear": _bear, "star": _star, "bird": _bird, "tooth": _tooth,
    "feather": _feather, "pencil": _pencil,
}  # fmt: skip
