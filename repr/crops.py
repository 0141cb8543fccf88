"""Crops: the shares of an image's side, from its middle, that are embedded and averaged: 1 is the whole image.

Networks trained on random crops expect things larger than whole images show them (Touvron et al., Fixing the train-test resolution
discrepancy, NeurIPS 2019); averaged over scales as in Radenović et al., Fine-tuning CNN image retrieval with no human annotation,
TPAMI 2019.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from repr.errors import UserError

WHOLE = (1.0,)
CLOSEST = 0.1  # the squares to decode grow with its inverse


def checked(crops: Iterable[float], where: str | Path = "") -> tuple[float, ...]:
    """The crops, each once, the whole image first. Raises UserError when there are none, or one is not in CLOSEST to 1."""
    shares = tuple(sorted({float(crop) for crop in crops}, reverse=True))
    if not shares or not all(CLOSEST <= crop <= 1 for crop in shares):
        raise UserError(
            f"crops {typed(shares) or 'none'} make no sense",
            where,
            f"Give shares of the image's side, from {CLOSEST:g} to 1, such as 1,0.5",
            argument="crops",
        )
    return shares


def typed(crops: Iterable[float]) -> str:
    """Crops as they are typed."""
    return ",".join(f"{crop:g}" for crop in crops)


def suffix(crops: Iterable[float]) -> str:
    """Crops behind a name: nothing where the whole image is embedded."""
    shares = tuple(crops)
    return "" if shares == WHOLE else f", crops {typed(shares)}"
