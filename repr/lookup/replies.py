"""From what was found, by numbers, to matches with the products' names: read from the store, for each is told as it is called now."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np

from repr.arrays import Doubles
from repr.images.boxes import Box
from repr.images.reader import ImageLike
from repr.lookup.answers import Found
from repr.lookup.cache import Matrix
from repr.lookup.matches import Match
from repr.lookup.plan import relative_to_root
from repr.lookup.store import Store


def matches_of_hits(store: Store, matrix: Matrix, rows: Doubles) -> list[Match]:
    """Matches of hits (m, 2), rows of the matrix and cosines."""
    positions = rows[:, 0].astype(np.int64)
    return _matches(
        store, ((int(matrix.products[p]), int(matrix.ids[p]), float(s), None) for p, s in zip(positions, rows[:, 1], strict=True))
    )


def matches_of_answer(store: Store, found: Found) -> list[Match]:
    """Matches of an answer by a learner, whose products are called by their numbers."""
    return _matches(store, ((int(one.product), one.image, one.cosine, one.probability) for one in found.candidates))


def with_chances(store: Store, matches: Sequence[Match], found: Found) -> list[Match]:
    """The same matches, with the probabilities that their products have in an answer; 0 of those it does not name."""
    products = store.products(int(one.product) for one in found.candidates)
    chances = {products[int(one.product)].id: one.probability for one in found.candidates if int(one.product) in products}
    return [replace(match, probability=chances.get(match.product, 0.0)) for match in matches]


def _matches(store: Store, hits: Iterable[tuple[int, int, float, float | None]]) -> list[Match]:
    """Matches of (product's number, image's id, cosine, probability); without those that somebody else has removed this very moment."""
    made = []
    for number, id_, cosine, probability in hits:
        image, product = store.image(id_), store.products([number]).get(number)
        if image is not None and product is not None:
            box = cast("Box | None", image.box)
            made.append(Match(product.id, cosine, image.path, product.name, product.barcode, product.category, probability, box))
    return made


def boxes_of(store: Store, root: Path, images: Sequence[ImageLike]) -> list[Box | None]:
    """The box that each image file was stored with; None for those that are not stored, or whole, or with several boxes, or no files.

    A stored image is looked up as it was stored: an exemplar of a turntable shows its product small in the frame.
    """
    drawn = list[Box | None]()
    for image in images:
        stored = isinstance(image, str | os.PathLike) and store.images(path=relative_to_root(Path(image), root))
        boxes = {one.box for one in stored} if stored else set()
        drawn.append(cast("Box | None", boxes.pop()) if len(boxes) == 1 else None)
    return drawn
