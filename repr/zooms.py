"""Zooms: the shares of a picture's side, from its middle, that are embedded and averaged: 1 is the whole picture.

Networks trained on random crops expect things larger than whole pictures show them (Touvron et al., Fixing the train-test resolution
discrepancy, NeurIPS 2019); averaged over scales as in Radenović et al., Fine-tuning CNN image retrieval with no human annotation,
TPAMI 2019.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from repr.errors import UserError

WHOLE = (1.0,)
CLOSEST = 0.1  # the squares to decode grow with its inverse


def checked(zooms: Iterable[float], where: str | Path = "--zooms") -> tuple[float, ...]:
    """The zooms, each once, the whole picture first. Raises UserError when there are none, or one is not in CLOSEST to 1."""
    found = tuple(sorted({float(zoom) for zoom in zooms}, reverse=True))
    if not found or not all(CLOSEST <= zoom <= 1 for zoom in found):
        raise UserError(
            f"zooms {typed(found) or 'none'} make no sense",
            where,
            f"Give shares of the picture's side, from {CLOSEST:g} to 1, such as 1,0.5",
        )
    return found


def typed(zooms: Iterable[float]) -> str:
    """Zooms as they are typed."""
    return ",".join(f"{zoom:g}" for zoom in zooms)


def suffix(zooms: Iterable[float]) -> str:
    """Zooms behind a name: nothing where the whole picture is embedded."""
    found = tuple(zooms)
    return "" if found == WHOLE else f", zooms {typed(found)}"
