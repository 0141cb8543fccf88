"""Frames: how libraries of others make an image square before their networks see it, to the pixel.

timm, open_clip and transformers resize with Pillow or torchvision and cut out the middle; they differ in which side is resized to what, in
the filter, and in which way half a pixel is rounded. Weights that come from them are used with their own frame (`repr.models.folders`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from repr.arrays import Pixels

Side = Literal["shortest", "longest", "squash"]
Filter = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]  # Pillow's names in lower case
FILTERS: tuple[Filter, ...] = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")


@dataclass(frozen=True)
class Frame:
    """One way of making images square.

    side: which side becomes `size / share` pixels, rounded down; "squash": both. share: of what was resized, the middle that is seen
    (timm's crop_pct). half: where an odd number of pixels is cut off, whether the place is rounded to even, as torchvision does, or
    down, as transformers does. fill: the colour of what is added where an image is smaller than its frame.
    """

    side: Side = "shortest"
    filter: Filter = "bicubic"
    share: float = 1.0
    half: Literal["even", "down"] = "even"
    fill: tuple[int, ...] = (0, 0, 0)

    def square(self, image: Image.Image, size: int) -> Pixels:
        """An RGB image as (size, size, 3) uint8."""
        target = math.floor(size / self.share + 1e-6)  # 224 / 0.875 must be 256, however the division is rounded
        resized = self._sides(*image.size, target)
        if resized != image.size:
            image = image.resize(resized, Image.Resampling[self.filter.upper()])
        return np.asarray(self._middle(image, size))

    def _sides(self, width: int, height: int, target: int) -> tuple[int, int]:
        """Width and height after resizing."""
        if self.side == "squash":
            return target, target
        if self.side == "longest":  # as timm's and open_clip's ResizeKeepRatio
            ratio = max(width / target, height / target)
            return max(1, round(width / ratio)), max(1, round(height / ratio))
        # As torchvision's Resize of one number, and transformers' shortest_edge.
        return (target, int(target * height / width)) if width <= height else (int(target * width / height), target)

    def _middle(self, image: Image.Image, size: int) -> Image.Image:
        width, height = image.size
        if min(width, height) < size:  # as torchvision's and timm's centre crops: half of what is missing before, rounded down
            wide, high = max(width, size), max(height, size)
            canvas = Image.new("RGB", (wide, high), self.fill)
            canvas.paste(image, ((wide - width) // 2, (high - height) // 2))
            image, width, height = canvas, wide, high
        left, top = (width - size) / 2, (height - size) / 2
        x, y = (round(left), round(top)) if self.half == "even" else (int(left), int(top))
        return image.crop((x, y, x + size, y + size))
