"""The figures of a catalog that show its images: what was read on them, what classes look like, and which of them look alike."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from repr.arrays import Floats, Ints
from repr.catalog.statistics import class_ids
from repr.catalog.table import Catalog
from repr.errors import UserError
from repr.evaluation.lookalikes import closest_groups, shared_looks
from repr.evaluation.pixels import SIZE, pixel_features
from repr.images.reader import ImageLike, Unreadable, read_image
from repr.reports.gallery import Cell, gallery

log = logging.getLogger(__name__)

LOOKED_AT = 2_000  # images drawn by chance that are compared by their pixels: all pairs of them
EXAMPLES = 8  # of OCR, of each kind; images of a class in a row
CLASSES = 6  # rows of the sheet of classes
GROUPS, OTHERS = 2, 5  # look-alikes: the paper shows two groups
LEGIBLE = 6  # letters that an OCR text has at least to be called informative


@dataclass(frozen=True)
class Shown:
    """A figure of images. name: of its file; caption: what is to be seen on it."""

    name: str
    image: Image.Image
    caption: str


def image_figures(catalog: Catalog, level: int, generator: np.random.Generator) -> list[Shown]:
    """The figures that a catalog's images allow, of at most LOOKED_AT images drawn by chance; none where no image file is there.

    level: of the classes, which are named with their ids, as the paper does: they can be read with any font. As its Fig. 4 (OCR), 11
    (classes of a subset) and 7 (look-alikes).
    """
    there = _there(catalog, generator)
    if not len(there):
        return []
    part = catalog.select(there)
    texts = _read_texts(part)
    try:
        compared = _of_classes(part, level, len(catalog))
    except UserError as error:  # none of those drawn has a label, or can be read
        log.info(f"No images of classes are drawn: {error}")
        compared = []
    return [texts, *compared] if texts else compared


def _of_classes(part: Catalog, level: int, drawn: int) -> list[Shown]:
    """The figures that compare images of classes, of the rows drawn from `of`; none of a single class."""
    labels, names = part.labels(level)
    if len(names) < 2:
        return []
    names = tuple(one if one == name else f"{one} {name}" for one, name in zip(class_ids(part, level), names, strict=True))
    known = part.select(labels >= 0)
    features, rows = pixel_features(known)
    labels, compared = labels[labels >= 0][rows], known.select(rows)
    return [_classes(compared, features, labels, names, drawn), *_lookalikes(compared, features, labels, names)]


def _there(catalog: Catalog, generator: np.random.Generator) -> Ints:
    """(at most LOOKED_AT,) rows drawn by chance whose image files are there, in their order; four times as many are looked for."""
    drawn = generator.permutation(len(catalog))[: 4 * LOOKED_AT]
    rows = [row for row in drawn if catalog.file(int(row)).is_file()][:LOOKED_AT]
    return np.sort(np.asarray(rows, np.int64))


def _image(catalog: Catalog, row: int) -> ImageLike:
    """A row's image, cropped to its box where it has one."""
    box = catalog.boxes()[row]
    if box is None:
        return catalog.file(row)
    try:
        return read_image(catalog.file(row), short_side=192, box=box)
    except Unreadable:
        return catalog.file(row)


def _read_texts(catalog: Catalog) -> Shown | None:
    """Fig. 4: OCR that says what the title says, above OCR that says nothing of it. The share of its letters that the title has tells."""
    columns = zip(catalog.column("ocr"), catalog.column("title"), strict=True)
    texts = [(_share(ocr, title or ""), row, ocr) for row, (ocr, title) in enumerate(columns) if ocr]
    if not texts:
        return None
    texts.sort(key=lambda one: (-one[0], one[1]))
    informative = [one for one in texts if one[0] > 0 and len(one[2]) >= LEGIBLE][:EXAMPLES]
    chosen = {row for _, row, _ in informative}
    poor = [one for one in reversed(texts) if one[1] not in chosen][:EXAMPLES]
    kinds = {"informative: its letters stand in the title too": informative, "less informative": poor}
    rows = [(kind, [Cell(_image(catalog, row), ocr) for _, row, ocr in some]) for kind, some in kinds.items() if some]
    caption = f"OCR text and the image it was read on, of {len(texts):,} drawn by chance (as Fig. 4 of the paper)"
    return Shown("ocr_examples", gallery(rows, lines=3), caption)


def _share(ocr: str, title: str) -> float:
    """Of the different letters of an OCR text, the share that its title has."""
    letters = {letter for letter in ocr.casefold() if letter.isalnum()}
    return len(letters & set(title.casefold())) / len(letters) if letters else 0.0


def _classes(catalog: Catalog, features: Floats, labels: Ints, names: Sequence[str], drawn: int) -> Shown:
    """Fig. 11: a row a class, so that it shows how much its images differ; those that look like another class's are framed."""
    largest = np.argsort(-np.bincount(labels), kind="stable")[:CLASSES]
    members = {int(label): np.flatnonzero(labels == label)[:EXAMPLES] for label in largest}
    shown = np.concatenate(list(members.values()))
    alike = dict(zip(shown.tolist(), shared_looks(features[shown], labels[shown]), strict=True))
    rows = [(names[label], [Cell(_image(catalog, int(i)), dotted=bool(alike[int(i)])) for i in some]) for label, some in members.items()]
    caption = (
        f"The {len(rows)} largest classes among {len(labels):,} of {drawn:,} images drawn by chance, a row each, which shows how they "
        "differ within a class. Dotted: by raw pixels nearest, of those shown, to an image of another class (as Fig. 11 of the paper)"
    )
    return Shown("classes_shown", gallery(rows), caption)


def _lookalikes(catalog: Catalog, features: Floats, labels: Ints, names: Sequence[str]) -> list[Shown]:
    """Fig. 7: groups of images that look alike and are of different classes."""
    groups = closest_groups(features, labels, GROUPS, OTHERS)
    if not groups:
        return []
    rows = []
    for n, group in enumerate(groups, 1):
        rows.append((f"group {n}", [Cell(_image(catalog, i), names[labels[i]]) for i in (group.image, *group.others)]))
    caption = (
        f"Images and, to their right, those of other classes that are nearest by raw pixels ({SIZE} px), the closest groups of "
        f"{len(labels):,} images drawn by chance (as Fig. 7 of the paper); the same photograph does not count"
    )
    return [Shown("lookalikes", gallery(rows, lines=2), caption)]
