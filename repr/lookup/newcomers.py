"""Photographs before they are stored: which are blurred, show nothing, are there already, or look like another product.

    for found in inspect(index, [data, data], product="17"):
        print([(finding.kind, finding.product) for finding in found.findings])

Nothing is refused here: a person who adds products is told, and decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from repr.catalog.names import normal
from repr.images.reader import Unreadable, read_image, square
from repr.lookup.check import BLURRED, DOUBLE, EMPTY, SIDE, look_of
from repr.lookup.matches import Match

if TYPE_CHECKING:
    from repr.lookup.index import Index

RESEMBLES = 0.9  # cosine to another product's image from which on a person should look at both
NEAREST = 2  # products that are looked at: its own may be among them

Kind = Literal["unreadable", "blurred", "empty", "doubled", "resembles"]


@dataclass(frozen=True)
class Finding:
    """What is odd about a photograph. score: the cosine to `image` of `product` (its path in the index), where there is one."""

    kind: Kind
    text: str
    product: str | None = None
    image: str | None = None
    score: float | None = None


@dataclass(frozen=True)
class Inspected:
    """A photograph and what is odd about it; nothing, for most."""

    findings: tuple[Finding, ...]


def inspect(index: Index, images: Sequence[bytes], product: str = "") -> list[Inspected]:
    """Look at photographs, as bytes of files, that are to be stored as images of a product; "" for one that is not known yet."""
    product, made = normal(product), index.embed(images)
    near = dict(zip(made.rows.tolist(), index.search(made.vectors, NEAREST), strict=True))
    reasons = {broken.path: broken.reason for broken in made.quarantine}
    seen: dict[bytes, int] = {}
    inspected = []
    for place, data in enumerate(images):
        first = seen.setdefault(sha256(data).digest(), place)
        if place not in near:
            findings = [Finding("unreadable", reasons.get(f"image {place + 1}", "cannot be read"))]
        else:
            twin = [Finding("doubled", f"the same file as photograph {first + 1}")] if first != place else []
            findings = [*_spoilt(data), *(twin or _like(near[place], product))]
        inspected.append(Inspected(tuple(findings)))
    return inspected


def _spoilt(data: bytes) -> list[Finding]:
    try:
        deviation, sharpness = look_of(square(read_image(data, short_side=SIDE), SIDE))
    except Unreadable:  # it could be read a moment ago
        return []
    if deviation < EMPTY:
        return [Finding("empty", "shows nothing")]
    return [Finding("blurred", "out of focus")] if sharpness < BLURRED else []


def _like(matches: Sequence[Match], product: str) -> list[Finding]:
    """Whether it is stored already, or looks like another product."""
    if matches and matches[0].score >= DOUBLE:
        best = matches[0]
        return [Finding("doubled", f"stored already, of product {best.product}", best.product, best.image, best.score)]
    others = [match for match in matches if match.product != product and match.score >= RESEMBLES]
    own = any(match.product == product for match in matches[:1])
    if others and not own:
        best = others[0]
        return [Finding("resembles", f"resembles product {best.product}", best.product, best.image, best.score)]
    return []
