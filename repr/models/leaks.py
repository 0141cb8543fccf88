"""Leaks: whether weights have seen the images that they are measured on. One check and one wording for all who measure.

Compared are the images' contents, never names: those of each training that the weights came from against those measured on. So a
folder may be renamed and called anything, and a union, a second training or a mix is looked through to the last of its parts.

Not found are images that were saved anew (other bytes), what a sketch of very many images lets through (`Sketch`), and ImageNet-1k's,
which are not at hand. Weights of which any part is not known are said to be unknown, never clean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from repr.arrays import Hashes
from repr.catalog.table import Catalog
from repr.images.contents import Overlap, Sketch, image_hashes
from repr.models.provenance import Data, Leak, Provenance
from repr.models.weights import Weights

TESTS = "test images"
ENOUGH = 60  # images that a sketch tells of: with none found among them, fewer than 1 in 20 were seen (0.95^60 = 5 %)


def leaks(weights: Sequence[Weights], images: Catalog, what: str = TESTS) -> list[Leak]:
    """What is wrong with measuring each of the weights on the catalog's images; nothing of those that are clean. what: the images' name.

    Reads a little of every image file, where any of the weights has something to compare.
    """
    hashes = image_hashes(images.files()) if any(each.provenance.hashes for each in weights) else None
    entries: list[Leak] = []
    for each in weights:
        if hashes is not None:
            entries += _seen(each.name, each.provenance, hashes, what)
        if each.provenance.unknown:
            part = "what it was trained on" if len(each.provenance.records) == 1 else "a part of what it came from"
            entries.append(Leak(each.name, "unknown", f"{each.name!r} may have seen the {what}: {part} is not known"))
    return entries


def _seen(name: str, provenance: Provenance, hashes: Hashes, what: str) -> list[Leak]:
    """One entry for each data of a training that holds some of the images, or may."""
    entries = []
    for data in dict.fromkeys(data for record in provenance.records for data in record.data):
        trained, whole = provenance.sketch(data.trained), provenance.sketch(data.whole)
        if trained is None or whole is None:
            continue
        overlap = trained.overlap(hashes)
        if overlap.within:
            text = f"{name!r} has seen {_counted(overlap, what)}: {_how(data, trained, whole, hashes)}"
            entries.append(Leak(name, "seen", text, overlap.share))
        elif overlap.known < min(ENOUGH, overlap.of):
            reason = f"its file tells of {overlap.known} of {overlap.of:,} whether they are among the {data.trained.n:,} of {data.name!r}"
            entries.append(Leak(name, "untold", f"{name!r} may have seen the {what}: {reason}"))
    return entries


def _counted(overlap: Overlap, what: str) -> str:
    if overlap.known < overlap.of:
        return f"about {100 * overlap.share:.0f} % of the {what}"
    return f"all {overlap.of:,} {what}" if overlap.within == overlap.of > 1 else f"{overlap.within:,} of {overlap.of:,} {what}"


def _how(data: Data, trained: Sketch, whole: Sketch, hashes: Hashes) -> str:
    """Whether it learned from all that the images and its source have in common, or divided the source otherwise."""
    known = hashes[hashes <= np.uint64(min(trained.limit, whole.limit))]
    if trained.overlap(known).within < whole.overlap(known).within:
        return f"it was trained on another division of the same data, {data}"
    return f"it was trained on {data}"
