"""From a catalog to what the loop trains on: which rows, which labels, which images are held out to watch, packed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from repr.arrays import Bools, Ints
from repr.catalog import splits
from repr.catalog.division import Division
from repr.catalog.table import Catalog
from repr.errors import UserError
from repr.files import content_key
from repr.images.known import fingerprints
from repr.images.pack import Pack, make_pack
from repr.methods import load
from repr.models.provenance import Learned, learned_from
from repr.training.data import HOLDOUT, stream
from repr.training.settings import Settings

log = logging.getLogger(__name__)

WATCHED = 5000  # images held out at most: a half-width of 1.4 points at worst, and an evaluation that stays short
MARGIN = 1.25  # the pack's side over the views', so that a crop of a part keeps detail; 1.14 is usual for evaluation (256 to 224)


@dataclass(frozen=True)
class Material:
    """Everything that a training process needs, small enough to be handed to another process.

    pack: folder of the packed images; train, val: positions in it; their labels, 0..c-1, c = len(classes)
    (-1 for rows without a label, where the method needs none). key: of images and labels together. learned: what the images
    trained on are, for the weights' provenance.
    """

    pack: Path
    size: int
    train: Ints
    train_labels: Ints
    val: Ints
    val_labels: Ints
    classes: tuple[str, ...]
    data: str
    synthetic: bool
    key: str
    learned: Learned


def prepare(catalog: Catalog, settings: Settings, divided: Sequence[Division] = ()) -> Material:
    """Choose rows and labels and pack the images, at MARGIN times the views' size (`settings.size`, an int by now).

    divided: how each source was divided, for the weights' provenance. Training rows are those of split "train", in classes of at
    least `settings.min_images`. Watched rows are those of split "val"; where there is none, `settings.held_out` of the training
    rows, whole groups of `splits.find_links` so that no twin is on both sides. Test rows are not touched. Raises UserError when
    nothing is left, and when the labels do not do (`check_labels`), before packing if it can be known.
    """
    assert settings.size is not None
    method = load(settings.method)
    split = catalog.column("split").astype(str)
    train, val = np.flatnonzero(split == "train"), np.flatnonzero(split == "val")
    if not len(train):
        parts = ", ".join(sorted(set(split) - {""})) or "none"
        raise UserError(f"no images in the split `train` (splits found: {parts})", catalog.name, "Give data that have one")
    labels, names = _labels(catalog, settings.level, method.needs_labels)
    if method.needs_labels:
        train, val = train[labels[train] >= 0], val[labels[val] >= 0]
    train = train[_in_big_classes(labels[train], settings.min_images)]  # before any are held out, so that no class is lost by chance
    rng = np.random.default_rng(stream(settings.seed, HOLDOUT))
    if len(train) and not len(val) and settings.held_out and labels[train].max() >= 0:  # nothing is watched without labels
        train, val = hold_out(splits.find_links(catalog).groups(), train, labels, settings.held_out, rng)
    val = np.sort(rng.permutation(val)[:WATCHED])
    if not len(train):
        raise UserError(f"no class has {settings.min_images} training images", catalog.name, "Lower `min_images`")
    labels, names = _dense(labels, names, train)
    check_labels(labels[train], names, catalog.name, settings)
    chosen = np.sort(np.concatenate([train, val]))
    pack = make_pack(catalog.select(chosen), pack_size(settings.size), workers=settings.workers)
    material = _material(catalog, pack, chosen, train, val, labels, names, divided)
    check_labels(material.train_labels, names, catalog.name, settings)  # once more without what could not be read
    return material


def pack_size(size: int) -> int:
    """The pack's side for views of `size` pixels, a multiple of 8."""
    return -(-round(size * MARGIN) // 8) * 8


def hold_out(groups: Ints, train: Ints, labels: Ints, share: float, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Divide the row numbers `train` into those to train on and those to watch, by whole groups.

    groups, labels: (n,) for all rows. Groups are drawn until `share` of the rows (at most WATCHED) is reached; a group that
    would exceed it, or leave a class fewer than two training images (which SupCon pairs), is passed over.
    """
    goal = min(round(share * len(train)), WATCHED)
    order, inverse = np.unique(groups[train], return_inverse=True)
    members = np.split(np.argsort(inverse, kind="stable"), np.cumsum(np.bincount(inverse))[:-1])
    left = np.bincount(labels[train] + 1, minlength=int(labels.max()) + 2)
    held = np.zeros(len(train), bool)
    least = np.minimum(left, 2)
    n = 0
    for group in rng.permutation(len(order)):
        if n >= goal:
            break
        taken = np.bincount(labels[train[members[group]]] + 1, minlength=len(left))
        if n + len(members[group]) <= goal and not ((taken > 0) & (left - taken < least)).any():
            held[members[group]] = True
            left -= taken
            n += len(members[group])
    return train[~held], train[held]


def check_labels(labels: Ints, classes: tuple[str, ...], where: str, settings: Settings) -> None:
    """Raise UserError when the training labels do not do for what is asked: fewer than two classes; one with a single image, where the
    method pairs images of a class; none at all, and `balanced`. where: the data's name."""
    method = load(settings.method)
    if settings.balanced and not classes:
        raise UserError("the data have no classes to balance", "", "Leave it out", argument="balanced")
    if method.needs_labels and len(classes) < 2:
        only = f"all training images are of one class, {classes[0]!r}: there is nothing to tell apart"
        raise UserError(only, where, "Give data of two or more classes, another `level`, or `method` simclr")
    if not method.needs_pairs:
        return
    lone = np.flatnonzero(np.bincount(labels, minlength=len(classes)) == 1)
    if len(lone):
        more = f" (and {len(lone) - 1} more classes)" if len(lone) > 1 else ""
        raise UserError(
            f"the class {classes[lone[0]]!r}{more} has one training image, and {settings.method} pairs the images of a class",
            where,
            "Leave such classes out with `min_images` 2",
        )


def _labels(catalog: Catalog, level: int | None, needed: bool) -> tuple[Ints, tuple[str, ...]]:
    try:
        return catalog.labels(level)
    except UserError:
        if needed or level is not None:
            raise
        return np.full(len(catalog), -1, dtype=np.int64), ()


def _in_big_classes(labels: Ints, least: int) -> Bools:
    counts = np.bincount(labels + 1)
    return np.asarray((labels < 0) | (counts[labels + 1] >= least))


def _dense(labels: Ints, names: tuple[str, ...], train: Ints) -> tuple[Ints, tuple[str, ...]]:
    """Labels and names of the classes that have training rows only; other rows get -1."""
    present = np.unique(labels[train][labels[train] >= 0])
    dense = np.full(int(labels.max(initial=-1)) + 2, -1, dtype=np.int64)
    dense[present] = np.arange(len(present))
    return dense[labels], tuple(names[code] for code in present)


def _material(
    catalog: Catalog,
    pack: Pack,
    chosen: Ints,
    train: Ints,
    val: Ints,
    labels: Ints,
    names: tuple[str, ...],
    divided: Sequence[Division],
) -> Material:
    """Row numbers → positions in the pack; unreadable images are gone from it."""
    place = np.full(len(catalog), -1, dtype=np.int64)
    place[chosen[pack.rows]] = np.arange(len(pack.rows))
    train, val = train[place[train] >= 0], val[place[val] >= 0]
    if not len(train):
        raise UserError("no training image could be read", catalog.name, "Check the images")
    if names and len(np.unique(labels[train][labels[train] >= 0])) < len(names):
        log.info("Some classes have no readable training image; they stay in the head and learn nothing.")
    images = fingerprints(catalog.select(chosen), moved=True)
    key = content_key(images.tobytes(), pack.size, place[train].tobytes(), labels[train].tobytes(), list(names))
    known = val[labels[val] >= 0]
    return Material(
        pack.path,
        pack.size,
        place[train],
        labels[train],
        place[known],
        labels[known],
        names,
        catalog.name,
        catalog.synthetic,
        key,
        learned_from(catalog, train, divided, known),
    )
