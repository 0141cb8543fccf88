"""A cloud of words: the larger, the more frequent (Fig. 3 of the MEP-3M paper), each at the free place nearest to the middle."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw

from repr.arrays import Bools
from repr.reports.figures import PALETTE
from repr.reports.sheet import GROUND, readable, typeface

WIDTH, HEIGHT = 900, 480
SMALLEST, LARGEST = 13, 84  # pixels of a word's letters
GAP = 3  # pixels between words


def drawable(words: Sequence[str]) -> bool:
    """Whether a font of this machine has every letter of the words."""
    return all(readable(word, typeface(SMALLEST)) == word for word in words)


def cloud(counts: Mapping[str, int]) -> Image.Image:
    """The words with their counts, those of the highest first; what finds no place any more is left out. An RGB image.

    The area of a word's letters follows its count. Raises AssertionError where there are none.
    """
    assert counts, "a cloud needs a word"
    image = Image.new("RGB", (WIDTH, HEIGHT), GROUND)
    draw = ImageDraw.Draw(image)
    taken = np.zeros((HEIGHT, WIDTH), bool)
    most = max(counts.values())
    for n, (word, count) in enumerate(sorted(counts.items(), key=lambda item: -item[1])):
        font = typeface(max(SMALLEST, round(LARGEST * math.sqrt(count / most))))
        left, top, right, bottom = (round(edge) for edge in font.getbbox(word))
        width, height = right - left + 2 * GAP, bottom - top + 2 * GAP
        place = _nearest_free(taken, width, height)
        if place is None:
            continue
        y, x = place
        draw.text((x + GAP - left, y + GAP - top), word, PALETTE[n % (len(PALETTE) - 1)], font)
        taken[y : y + height, x : x + width] = True
    return image


def _nearest_free(taken: Bools, width: int, height: int) -> tuple[int, int] | None:
    """Top and left of the free rectangle of this size whose middle is nearest to the image's; None where there is none."""
    if height > taken.shape[0] or width > taken.shape[1]:
        return None
    sums = np.pad(taken.cumsum(axis=0, dtype=np.int64).cumsum(axis=1), ((1, 0), (1, 0)))
    inside = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    tops, lefts = np.nonzero(inside == 0)
    if not len(tops):
        return None
    # Wider than high, as the image is: a step down counts as much as two to the side.
    away = (2 * (tops + height / 2 - taken.shape[0] / 2)) ** 2 + (lefts + width / 2 - taken.shape[1] / 2) ** 2
    best = int(np.argmin(away))
    return int(tops[best]), int(lefts[best])
