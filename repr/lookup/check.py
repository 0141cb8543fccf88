"""How good is the index? What it answers on its own images, held out, and which of them look wrong.

report = check(gallery, "lda-root", contents=hashes, looks=looks)
report.top1, report.top5, report.per_product, report.confused, report.suspects, report.few, report.curve
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from repr.arrays import Array, Bools, Doubles, Floats, Ints, Pixels
from repr.evaluation.calibration import log_softmax
from repr.learners import make
from repr.lookup.gallery import Gallery
from repr.lookup.held_out import FOLDS, HeldOut, folds_of, held_out_arrays
from repr.search.exact import neighbours

FEW = 3  # images: with fewer a product is named as having too few
SURE = 3.0  # log-odds by which another product is likelier than an image's own for it to look mislabelled: 20 to 1
CROWD = 5  # nearest images of which none may be of its own product, for the same
DOUBLE = 0.995  # cosine of two images from which on they are one photograph; views of one shelf on grocery reach 0.99
SIDE = 160  # pixels at which images are looked at: blur is measured of this size
BLURRED = 12.0  # variance of the Laplacian of the grey image, 0..255, below which it is out of focus
# Of that which its product's images usually have: the same. A Gaussian blur of 1.5 pixels of 176 leaves 0.03 to 0.05, a shake of 13 pixels
# 0.06 to 0.11; of 8,067 photographs of grocery, freiburg and fruits as they are, 4 lie lower.
SOFT = 0.12
EMPTY = 4.0  # deviation of its grey values below which there is nothing on an image
SHOTS = (1, 2, 3, 5, 8, 12, 20, 30, 50)  # images a product of the learning curve
NAMED = 50  # pairs and suspects that are named

Reason = Literal["mislabelled", "doubled", "blurred", "empty", "unreadable"]


@dataclass(frozen=True)
class OfProduct:
    """images: stored; asked: held out once; top1, top5: shares (0-1) of these, None for none. gain: of one more image, in top1."""

    product: str
    images: int
    asked: int
    top1: float | None
    top5: float | None
    gain: float | None


@dataclass(frozen=True)
class Confused:
    """So many images of `product` were answered with the product `other`; some of them, by id, or by place where they were given."""

    product: str
    other: str
    count: int
    images: tuple[int, ...]


@dataclass(frozen=True)
class Suspect:
    """An image that looks wrong. other: the id of the image that it doubles, or one of the product that it looks like; None for neither.

    product: that of `other`. measure: of what it was found by (log-odds, cosine, variance of the Laplacian, deviation).
    """

    image: int
    reason: Reason
    measure: float
    other: int | None = None
    product: str | None = None


@dataclass(frozen=True)
class Shots:
    """A point of the learning curve: first right (0-1, mean over products) with at most so many images a product."""

    images: int
    top1: float


@dataclass(frozen=True)
class Report:
    """top1, top5: shares (0-1) of the images asked, None where there are none. few: products of fewer than FEW images."""

    learner: str
    images: int
    asked: int
    top1: float | None
    top5: float | None
    per_product: tuple[OfProduct, ...]
    confused: tuple[Confused, ...]
    suspects: tuple[Suspect, ...]
    few: tuple[str, ...]
    curve: tuple[Shots, ...]


def check(
    gallery: Gallery,
    learner: str,
    *,
    contents: Sequence[str] | None = None,
    looks: Doubles | None = None,
    twins: Ints | None = None,
    given: tuple[Floats, Sequence[str]] | None = None,
) -> Report:
    """Ask the learner (by its name, with settings) for held-out images of a gallery, or for given ones, and look at each image.

    contents: of each row of the gallery, a hash of its file and box; equal ones are doubles. looks: (n, 2) of each row, `look_of` its
    pixels, NaN where it cannot be read. twins: (m, 2) pairs of rows whose pixels are nearly
    the same. given: features (m, d) of other photographs, and the stored product of each, to be asked instead
    of held-out images. Of a big gallery a sample of products is held out. Raises UserError as the learner does.
    """
    sample = gallery.sample()
    x, y = sample.taught()
    fold = folds_of(x, y)
    held = held_out_arrays(x, y, learner, fold)
    curve = _curve(x, y, learner, fold, held)
    suspects = [*_mislabelled(sample, held), *_doubled(gallery, contents, twins), *([] if looks is None else _spoilt(gallery, looks))]
    ids = sample.ids[sample.alive][held.rows]
    if given is not None:
        held, ids = _asked(gallery, learner, *given), np.arange(len(given[1]))
    of = gallery if given is not None else sample
    measured = bool(len(held.rows))
    return Report(
        learner=learner, images=len(gallery.alive), asked=len(held.rows),
        top1=float(held.right().mean()) if measured else None, top5=float(held.right(5).mean()) if measured else None,
        per_product=_per_product(of, held, _power(curve)), confused=_confused(of, held, ids), suspects=tuple(suspects),
        few=tuple(gallery.names[number] for number in np.flatnonzero((gallery.counts > 0) & (gallery.counts < FEW))), curve=curve,
    )  # fmt: skip


def _asked(gallery: Gallery, learner: str, features: Floats, products: Sequence[str]) -> HeldOut:
    """Answers on photographs that are not in the gallery, of products that are."""
    x, y = gallery.taught()
    taught = make(learner).learn(x, y)
    columns = np.searchsorted(taught.classes_, gallery.numbers(products))
    return HeldOut(np.arange(len(products)), columns, taught.scores(features), taught.classes_)


def _per_product(gallery: Gallery, held: HeldOut, power: tuple[float, float] | None) -> tuple[OfProduct, ...]:
    """Worst first; those that could not be asked last."""
    first, five, products = held.by_product(), held.by_product(5), []
    counts = np.bincount(held.columns, minlength=len(held.classes))
    for column, number in enumerate(held.classes.tolist()):
        images = len(gallery.rows_of(number))
        gain = None if power is None else power[0] * (images ** power[1] - (images + 1) ** power[1])
        products.append(OfProduct(gallery.names[number], images, int(counts[column]), first.get(column), five.get(column), gain))
    return tuple(sorted(products, key=lambda one: (one.top1 is None, one.top1 or 0.0, one.product)))


def _confused(gallery: Gallery, held: HeldOut, ids: Ints) -> tuple[Confused, ...]:
    """The pairs that are confused most often, both directions apart."""
    given = held.scores.argmax(axis=1) if len(held.rows) else held.columns
    wrong = np.flatnonzero(given != held.columns)
    pairs = Counter((int(held.columns[i]), int(given[i])) for i in wrong)
    confused = []
    for (own, other), count in sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))[:NAMED]:
        images = ids[(held.columns == own) & (given == other)][:5]
        confused.append(Confused(_name(gallery, held, own), _name(gallery, held, other), count, tuple(images.tolist())))
    return tuple(confused)


def _name(gallery: Gallery, held: HeldOut, column: int) -> str:
    return gallery.names[int(held.classes[column])]


def _mislabelled(gallery: Gallery, held: HeldOut) -> list[Suspect]:
    """Images whose own product the learner thinks far less likely than another, and none of whose nearest images is of it."""
    if not len(held.rows):
        return []
    logs = log_softmax(held.scores)
    odds = logs.max(axis=1) - logs[np.arange(len(logs)), held.columns]
    rows = gallery.alive
    vectors, y = gallery.unit(rows), gallery.columns[rows]
    places = np.flatnonzero(odds > SURE)
    _, near = neighbours(vectors[held.rows[places]], vectors, CROWD, held.rows[places])
    strange = (y[near] != held.classes[held.columns[places]][:, None]).all(axis=1)
    suspects = []
    for place, row in zip(places[strange], near[strange], strict=True):
        other = int(held.scores[place].argmax())
        like = next((int(i) for i in row if y[i] == held.classes[other]), None)
        image = int(gallery.ids[rows[held.rows[place]]])
        suspects.append(
            Suspect(
                image,
                "mislabelled",
                float(odds[place]),
                None if like is None else int(gallery.ids[rows[like]]),
                _name(gallery, held, other),
            )
        )
    return sorted(suspects, key=lambda one: -one.measure)[:NAMED]


def _doubled(gallery: Gallery, contents: Sequence[str] | None, twins: Ints | None) -> list[Suspect]:
    """Images of equal content, those whose pixels are nearly the same, and those whose vectors are as good as one; the later one of each
    pair is named, once."""
    rows, suspects = gallery.alive, dict[int, Suspect]()
    if contents is not None:
        first: dict[str, int] = {}
        for row in rows.tolist():
            before = first.setdefault(contents[row], row)
            if before != row:
                suspects[row] = _double(gallery, row, before, 1.0)
    pairs = [] if twins is None else [(min(pair), max(pair)) for pair in twins[np.isin(twins, rows).all(axis=1)].tolist()]
    for earlier, later in sorted(pairs):
        one, other = gallery.unit(np.array([earlier, later]))
        suspects.setdefault(later, _double(gallery, later, earlier, float(one @ other)))
    if len(rows) > 1:
        vectors = gallery.unit(rows)
        cosines, near = neighbours(vectors, vectors, 1, np.arange(len(rows)))
        for place in np.flatnonzero(cosines[:, 0] >= DOUBLE).tolist():
            earlier, later = sorted((int(rows[place]), int(rows[near[place, 0]])))
            suspects.setdefault(later, _double(gallery, later, earlier, float(cosines[place, 0])))
    return list(suspects.values())


def _double(gallery: Gallery, row: int, other: int, cosine: float) -> Suspect:
    return Suspect(int(gallery.ids[row]), "doubled", cosine, int(gallery.ids[other]), gallery.names[gallery.columns[other]])


def _spoilt(gallery: Gallery, looks: Doubles) -> list[Suspect]:
    """Images that cannot be read any more, that are blurred, or on which there is nothing."""
    suspects, usual = [], _usual_sharpness(gallery, looks)
    for row in gallery.alive.tolist():
        deviation, sharpness = looks[row].tolist()
        if np.isnan(deviation):
            suspects.append(Suspect(int(gallery.ids[row]), "unreadable", 0.0))
        elif deviation < EMPTY:
            suspects.append(Suspect(int(gallery.ids[row]), "empty", deviation))
        elif sharpness < max(BLURRED, SOFT * usual[row]):
            suspects.append(Suspect(int(gallery.ids[row]), "blurred", sharpness))
    return suspects


def _usual_sharpness(gallery: Gallery, looks: Doubles) -> Doubles:
    """(n,) the median sharpness of the images of each row's product; of products of fewer than FEW, that of all images."""
    readable = gallery.alive[~np.isnan(looks[gallery.alive, 1])]
    usual = np.full(len(gallery), np.median(looks[readable, 1]) if len(readable) else 0.0)
    for number in gallery.present.tolist():
        own = np.intersect1d(gallery.rows_of(number), readable)
        if len(own) >= FEW:
            usual[own] = np.median(looks[own, 1])
    return usual


def look_of(pixels: Pixels) -> tuple[float, float]:
    """Deviation of the grey values (0..255) of an image (h, w, 3) of some 160 pixels, and the variance of their Laplacian.

    Pech-Pacheco et al., Diatom Autofocusing in Brightfield Microscopy, ICPR 2000: out of focus, second derivatives are small.
    """
    grey = pixels @ np.array([0.299, 0.587, 0.114])
    middle = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * middle
    return float(grey.std()), float(laplacian.var()) if laplacian.size else 0.0


def _curve(x: Floats, y: Ints, learner: str, fold: Ints, held: HeldOut) -> tuple[Shots, ...]:
    """How many are first right with at most so many images a product, the same images being asked; the last point has all of them."""
    if not len(held.rows):
        return ()
    most = int(np.median(np.unique(y, return_counts=True)[1]) * (1 - 1 / FOLDS))
    points = []
    for shots in (number for number in SHOTS if number < most):
        scores = np.empty_like(held.scores)
        for number in np.unique(fold[held.rows]):
            held_out = fold == number
            kept = _spread(y, ~held_out, shots)
            scores[fold[held.rows] == number] = held_out_arrays(
                np.concatenate([x[kept], x[held_out]]),
                np.concatenate([y[kept], y[held_out]]),
                learner,
                np.repeat([-1, 0], [kept.sum(), held_out.sum()]),
            ).scores
        points.append(Shots(shots, _mean(HeldOut(held.rows, held.columns, scores, held.classes))))
    return (*points, Shots(max(most, 1), _mean(held)))


def _spread(y: Ints, allowed: Bools, shots: int) -> Bools:
    """(n,) at most `shots` of the allowed rows of each class, evenly spaced."""
    kept = np.zeros(len(y), dtype=np.bool_)
    for label in np.unique(y):
        rows = np.flatnonzero(allowed & (y == label))
        kept[rows[np.linspace(0, len(rows) - 1, min(shots, len(rows))).round().astype(np.int64)]] = True
    return kept


def _mean(held: HeldOut) -> float:
    return float(np.mean(list(held.by_product().values())))


def _power(curve: Sequence[Shots]) -> tuple[float, float] | None:
    """a and b of a · images^b, the error (1 − top1) by images a product, fitted to the curve; None for fewer than two points.

    Hestness et al., Deep Learning Scaling is Predictable, Empirically, 2017: errors fall by a power of the images.
    """
    if len(curve) < 2 or any(before.images >= after.images for before, after in pairwise(curve)):
        return None
    errors: Doubles = np.array([max(1 - point.top1, 1e-3) for point in curve])
    images: Array = np.log([point.images for point in curve])
    slope, start = np.polyfit(images, np.log(errors), 1)
    return float(np.exp(start)), min(float(slope), 0.0)
