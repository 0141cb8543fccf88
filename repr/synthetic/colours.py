"""Colours as 8-bit RGB."""

from __future__ import annotations

import colorsys

Colour = tuple[int, int, int]


def colour(hue: float, saturation: float, value: float) -> Colour:
    """Hue, saturation and value (0–1, hue wraps) as 8-bit RGB."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, min(max(saturation, 0.0), 1.0), min(max(value, 0.0), 1.0))
    return round(red * 255), round(green * 255), round(blue * 255)


def shade(colour: Colour, by: float) -> Colour:
    """Lighter (by > 0) or darker (by < 0) by that share of the way to white or black."""
    end = 255 if by > 0 else 0
    red, green, blue = (round(c + (end - c) * abs(by)) for c in colour)
    return red, green, blue
