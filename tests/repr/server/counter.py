"""Photographs of a counter: grey, with a square of each product of the shop on it."""

from __future__ import annotations

from PIL import Image

from tests.repr.server.shop import encoded, pixels

PLACES = {"tea": (40, 50), "jam": (200, 60), "oil": (110, 210)}  # left, top
SIDE = 80
SEEDS = {"tea": 0, "jam": 2, "oil": 4}  # of `fill`'s first images


def counter(*products: str, size: int = 320) -> bytes:
    """A PNG of a counter with these products, at their places."""
    image = Image.new("RGB", (size, size), (205, 204, 202))
    for product in products:
        image.paste(Image.fromarray(pixels(SEEDS[product])).resize((SIDE, SIDE), Image.Resampling.NEAREST), PLACES[product])
    return encoded(image)
