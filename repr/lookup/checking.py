"""How good an index is, with its own names and paths: held out, or by given photographs (`repr.lookup.check` on its stored images)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from repr import progress
from repr.arrays import Bools, Doubles, Floats, Ints
from repr.catalog.fingerprints import CHUNK, Prints, near_pairs
from repr.catalog.fingerprints import SIDE as SMALL
from repr.catalog.fingerprints import look as fingerprint
from repr.catalog.table import Catalog
from repr.embedding.embeddings import Embeddings
from repr.images.boxes import Box
from repr.images.decode import decode
from repr.lookup.check import SIDE, Confused, Report, Suspect, check, look_of
from repr.lookup.gallery import Gallery
from repr.lookup.settled import settled_of
from repr.lookup.store import Store, StoredImage
from repr.records import Json, to_json

SHOWN = 10  # of a kind in words


@dataclass(frozen=True, eq=False)
class Given:
    """Photographs to be asked about. products, paths: of each; features: (m, d), as the encoder gave them; unknown: (m,) called so."""

    products: tuple[str, ...]
    paths: tuple[str, ...]
    features: Floats
    unknown: Bools

    @classmethod
    def of(cls, catalog: Catalog, made: Embeddings, unknown: Sequence[bool]) -> Given:
        """Those images of a catalog that could be read. unknown: of each."""
        ids, paths, rows = list(map(str, catalog.column("product"))), [path for _, path in catalog.located()], made.rows.tolist()
        flags = np.array(unknown, dtype=np.bool_)
        return cls(tuple(ids[row] for row in rows), tuple(paths[row] for row in rows), made.features, flags)


@dataclass(frozen=True)
class Strangers:
    """Given photographs of products that are not stored: how many, and how many of these were called unknown."""

    count: int
    unknown: int


@dataclass(frozen=True, eq=False)
class Checked:
    """A report, and what it speaks of: stored images by id, and the paths of given photographs, None where stored ones were held out."""

    report: Report
    images: dict[int, StoredImage]
    given: tuple[str, ...] | None = None
    strangers: Strangers | None = None

    def asked_image(self, image: int) -> str:
        """The path of an image that was asked about, as `Confused.images` names it."""
        return self.images[image].path if self.given is None else self.given[image]

    def as_json(self) -> dict[str, Json]:
        """What `repr index check --json` prints."""
        report = self.report
        return {
            "learner": report.learner,
            "images": report.images,
            "products": len({image.product for image in self.images.values()}),
            "asked": report.asked,
            "top1": report.top1,
            "top5": report.top5,
            "per_product": to_json(report.per_product),
            "confused": [self._pair(pair) for pair in report.confused],
            "suspects": [self._suspect(suspect) for suspect in report.suspects],
            "few": to_json(report.few),
            "curve": to_json(report.curve),
            "strangers": to_json(self.strangers),
        }

    def _pair(self, pair: Confused) -> dict[str, Json]:
        images = [self.asked_image(image) for image in pair.images]
        return {"product": pair.product, "with": pair.other, "count": pair.count, "images": images}

    def _suspect(self, suspect: Suspect) -> dict[str, Json]:
        image, other = self.images[suspect.image], None if suspect.other is None else self.images[suspect.other].path
        content: dict[str, Json] = {"image": image.path, "product": image.product, "reason": suspect.reason, "measure": suspect.measure}
        return {**content, "other": other, "other_product": suspect.product}

    def lines(self) -> list[str]:
        """The same in words, the worst of each kind."""
        report = self.report
        what = "held-out images" if self.given is None else "given photographs"
        if report.top1 is None or report.top5 is None:
            lines = [f"No {what} to ask about: no product has two images" if self.given is None else f"No {what} of stored products"]
        else:
            lines = [f"{report.learner}: first {report.top1:.1%}, among five {report.top5:.1%}, of {report.asked:,} {what}"]
        if self.strangers is not None and self.strangers.count:
            lines.append(f"of products not stored: {self.strangers.count} photographs, {self.strangers.unknown} of them called unknown")
        worst = [one for one in report.per_product if one.top1 is not None and one.top1 < 1][:SHOWN]
        lines += [f"worst      {one.product}: first {one.top1:.0%} of {one.asked}, {one.images} images stored" for one in worst]
        lines += [f"confused   {pair.product} with {pair.other}: {pair.count}" for pair in report.confused[:SHOWN]]
        counts = Counter(suspect.reason for suspect in report.suspects)
        for reason, count in counts.items():
            first = [self.images[one.image].path for one in report.suspects if one.reason == reason][:3]
            lines.append(f"{reason:<10} {count} images: {', '.join(first)}{', …' if count > len(first) else ''}")
        if report.few:
            more = ", …" if len(report.few) > SHOWN else ""
            lines.append(f"few        {len(report.few)} products of one or two images: {', '.join(report.few[:SHOWN])}{more}")
        if (gain := mean_gain(report)) is not None:
            lines.append(f"one more photograph of every product: about {100 * gain:+.1f} points first")
        return lines


def mean_gain(report: Report) -> float | None:
    """What one more image of every product would give, in the share that is first right; None where no curve tells."""
    gains = [one.gain for one in report.per_product if one.gain is not None]
    return float(np.mean(gains)) if gains else None


def check_store(store: Store, dim: int, place: Callable[[str], Path], given: Given | None = None, *, workers: int | None = None) -> Checked:
    """Ask an index for its own images, held out, or for given ones, and look at each stored image.

    dim: numbers a feature. place: where the file of a stored image is, by its path. Raises UserError as learners do.
    """
    with store.reading():
        images = {image.id: image for image in store.images()}
        parts = list(store.features(dim=dim))
    ids = np.concatenate([np.empty(0, np.int64), *(part for part, _ in parts)])
    features = np.concatenate([np.empty((0, dim), np.float32), *(part for _, part in parts)])
    stored = [images[id_] for id_ in ids.tolist()]
    gallery, learner = Gallery(features, [image.product for image in stored], ids), settled_of(store).learner
    contents = [f"{image.content.hex()} {image.box}" for image in stored]
    looks, twins = _looks(stored, place, workers)
    if given is None:
        return Checked(check(gallery, learner, contents=contents, looks=looks, twins=twins), images)
    known = np.isin(given.products, gallery.names)
    products, paths = ([texts[row] for row in np.flatnonzero(known)] for texts in (given.products, given.paths))
    report = check(gallery, learner, contents=contents, looks=looks, twins=twins, given=(given.features[known], products))
    strangers = Strangers(int((~known).sum()), int(given.unknown[~known].sum()))
    return Checked(report, images, tuple(paths), strangers)


def _looks(images: Sequence[StoredImage], place: Callable[[str], Path], workers: int | None) -> tuple[Doubles, Ints]:
    """(n, 2) `look_of` each image, NaN where it cannot be read, and pairs (m, 2) of those whose pixels are nearly the same."""
    looks = np.full((len(images), 2), np.nan)
    bits, thumbs = np.zeros((len(images), 4), np.uint64), np.zeros((len(images), SMALL, SMALL, 3), np.uint8)
    boxes = [cast("Box | None", image.box) for image in images]
    with progress.bar(len(images), "Looking at images", "image") as bar:
        for chunk in decode([place(image.path) for image in images], boxes, SIDE, workers=workers):
            for position, pixels in zip(chunk.positions.tolist(), chunk.pixels, strict=True):
                looks[position] = look_of(pixels)
                bits[position], thumbs[position] = fingerprint(pixels)
            bar.update(len(chunk.positions) + len(chunk.bad))
    content = np.where(np.isnan(looks[:, 0]), -1, np.arange(len(images)))
    parts = [thumbs[start : start + CHUNK] for start in range(0, len(thumbs), CHUNK)]
    return looks, near_pairs(Prints(content, bits, parts))
