"""Draws the split: novel products by the split seed, evenly over the supercategories; the shots of each run seed by that seed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from repr.arrays import Array, Rows
from repr.catalog.supercategories import supercategories as product_supercategories
from repr.catalog.table import Catalog
from repr.errors import UserError
from rpc_transfer.protocol import BaseShots, Images, Split, cut

TestOn = Literal["validation", "val", "test"]


def generator(seed: int, *names: str) -> np.random.Generator:
    """The generator of one seed for one named purpose, so that what is drawn for one does not move another."""
    return np.random.default_rng([seed, *"/".join(names).encode()])


def parse_increments(text: str, novel: int) -> tuple[int, ...]:
    """Sizes of the increments: "34" one of 34, "17x2" seventeen of 2, "10,12x2" one of 10 and twelve of 2; "" means one step.

    Raises UserError when the text is no plan or does not add up to `novel`.
    """
    steps: list[tuple[int, int]] = []  # how many of which size
    for part in (text or str(novel)).replace(" ", "").lower().split(","):
        match = re.fullmatch(r"(?:([1-9]\d*)x)?([1-9]\d*)", part)
        if not match:
            raise UserError(f"{text!r} is no increment plan", "", "Write 34, 17x2 (17 increments of 2) or 10,12x2", argument="increments")
        steps.append((int(match[1] or 1), int(match[2])))
    total = sum(times * size for times, size in steps)
    if total != novel:
        raise UserError(
            f"{text} adds up to {total} products, not to the {novel} novel ones",
            "",
            f"Write {novel}, or parts that add up to it",
            argument="increments",
        )
    return tuple(size for times, size in steps for _ in range(times))


def draw_evenly(
    products: Sequence[str], supercategories: Mapping[str, str], n: int, rng: np.random.Generator, argument: str = "novel"
) -> tuple[str, ...]:
    """`n` of the products, evenly over their supercategories: supercategories take turns in random order, one random product a turn.

    A supercategory's last product is never drawn; products without one ("") count as one supercategory. With RPC's 17, 34 are two of each.
    Raises UserError, about `argument`, when fewer than `n` can be drawn.
    """
    of_supercategory: dict[str, list[str]] = {}
    for product in products:
        of_supercategory.setdefault(supercategories.get(product, ""), []).append(product)
    room = sum(len(members) - 1 for members in of_supercategory.values())
    if n > room:
        classes = "supercategories" if len(of_supercategory) > 1 else "supercategory"
        raise UserError(
            f"{n} products cannot be drawn: {len(products)} products in {len(of_supercategory)} {classes} leave {room}, "
            "as the last product of a supercategory stays a base product",
            "",
            f"Ask for {room} or fewer" if room else "Use a set with more products",
            argument=argument,
        )
    order = [sorted(of_supercategory)[i] for i in rng.permutation(len(of_supercategory))]
    queues = {
        supercategory: [of_supercategory[supercategory][i] for i in rng.permutation(len(of_supercategory[supercategory]))][:-1]
        for supercategory in order
    }
    drawn: list[str] = []
    while len(drawn) < n:
        for supercategory in order:
            if queues[supercategory] and len(drawn) < n:
                drawn.append(queues[supercategory].pop())
    return tuple(drawn)


def make_split(
    catalog: Catalog,
    *,
    novel: int,
    shots: int,
    seeds: Iterable[int],
    split_seed: int = 0,
    base_shots: BaseShots = None,
    shots_from: Literal["train", "val"] = "train",
    test_on: TestOn | None = None,
    unknown: int = 0,
    increments: str = "",
) -> Split:
    """Draw a split. Labels are the catalog's products, supercategories those of `repr.catalog.supercategories`.

    novel: number of novel products; unknown: number of products never taught (drawn after the novel ones, so that these stay).
    shots: images a novel product, and a base product unless `base_shots` says otherwise.
    test_on: None means "test" where the catalog has such rows, else "validation": what `shots_from` has beside the shots.
    A test image never holds a shot of the same seed, not even in another box of the same image.
    Raises UserError when the products or the images do not suffice, naming the products.
    """
    if novel < 1 or shots < 1:
        raise UserError("must be 1 or more", "", "Give a whole number from 1 up", argument="novel" if novel < 1 else "shots")
    labels, keys = catalog.product_labels()
    supercategories = dict(zip(keys, map(str, product_supercategories(catalog)), strict=True))
    names = _names(catalog, labels, keys)
    base, drawn, held_out = _draw_products(keys, supercategories, novel, unknown, split_seed)

    split_of = catalog.column("split").astype(str)
    test_on = test_on or ("test" if (split_of == "test").any() else "validation")
    same_part = test_on in ("validation", shots_from)
    if base_shots == "all" and same_part:
        message = "with all base images as shots none is left to test on"
        raise UserError(message, "", "Use `test_on` with another part", argument="base_shots")
    pool = _by_product(labels, keys, split_of, shots_from)
    shots_of = {**dict.fromkeys(base, shots if base_shots is None else base_shots), **dict.fromkeys(drawn, shots)}
    _enough(pool, shots_of, drawn, names, shots_from)
    candidates = pool if test_on == "validation" else _by_product(labels, keys, split_of, test_on, "test_on")
    support = {seed: {key: _draw(pool[key], shots_of[key], generator(seed, "shots", key)) for key in (*base, *drawn)} for seed in seeds}
    every = {key: candidates[key] for key in (*base, *drawn, *held_out)}
    tests = _beside(every, support, catalog)
    return Split(
        data=catalog.name,
        split_seed=split_seed,
        base=base,
        novel=drawn,
        unknown=held_out,
        increments=cut(drawn, parse_increments(increments, novel)),
        supercategories=supercategories,
        names=names,
        shots=shots,
        base_shots=base_shots,
        shots_from=shots_from,
        test_on=test_on,
        support=support,
        tests=tests,
        notes=_notes(catalog, tests, base, drawn, shots_from, test_on),
    )


def _draw_products(
    keys: Sequence[str], supercategories: Mapping[str, str], novel: int, unknown: int, split_seed: int
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Base, novel and unknown products. The unknown ones are drawn after the novel ones, so that these stay whatever their number."""
    drawn = draw_evenly(keys, supercategories, novel, generator(split_seed, "novel"))
    rest = [key for key in keys if key not in set(drawn)]
    held_out = draw_evenly(rest, supercategories, unknown, generator(split_seed, "unknown"), "unknown") if unknown else ()
    return tuple(key for key in rest if key not in set(held_out)), drawn, held_out


def _beside(images: Images, support: Mapping[int, Images], catalog: Catalog) -> dict[int, Images]:
    """The images that each seed may be tested on: those that it has no shot of."""
    photograph = catalog.photographs()
    return {seed: _without(images, shots, photograph) for seed, shots in support.items()}


def _without(images: Images, shots: Images, image: Rows) -> Images:
    """The images that no shot is taken from, not even in another box, or in another part of a set that lists an image in both."""
    taken = np.isin(image, image[np.concatenate(list(shots.values()))])
    if not any(taken[rows].any() for rows in images.values()):
        return images
    return {key: rows[~taken[rows]] for key, rows in images.items()}


VALIDATION = 10  # images a product: enough for a quantile over all products, few enough to embed
STREAM = "spare"  # the name of their generator: under another, others would be drawn


def validation_images(catalog: Catalog, split: Split, seed: int) -> dict[str, Rows]:
    """Up to VALIDATION images of each taught product that are neither shots nor tests of the seed, from where the shots came.

    Nor other boxes of their photographs. They choose the rejection threshold. Raises UserError when there is none at all.
    """
    labels, keys = catalog.product_labels()
    pool = _by_product(labels, keys, catalog.column("split").astype(str), split.shots_from)
    photograph = catalog.photographs()
    free = _without(_without(pool, split.support[seed], photograph), split.tests[seed], photograph)
    validation = {key: _draw(free[key], VALIDATION, generator(seed, STREAM, key)) for key in split.products}
    if not any(len(rows) for rows in validation.values()):
        raise UserError(
            f"no {split.shots_from} image is neither a shot nor a test, so no threshold can be chosen",
            "",
            "Use `test_on` val or test, or fewer shots",
            argument="reject",
        )
    return validation


def with_validation(catalog: Catalog, split: Split) -> Split:
    """The split with validation images for every seed: those it has stay, since another catalog might draw others.

    A note says which kinds of products have none, as the base ones with all their images as shots.
    """
    validation = {seed: split.validation.get(seed) or validation_images(catalog, split, seed) for seed in split.seeds}
    kinds = {"base": split.base, "novel": split.novel}
    bare = [
        kind for kind, members in kinds.items() if any(not any(len(images_of[key]) for key in members) for images_of in validation.values())
    ]
    notes = [f"no {kind} product has an image to choose the rejection threshold by" for kind in bare]
    return replace(split, validation=validation, notes=(*split.notes, *notes))


def _by_product(labels: Rows, keys: Sequence[str], split_of: Array, part: str, argument: str = "shots_from") -> dict[str, Rows]:
    """product -> its rows in one part of the catalog; UserError when the part is empty, which `argument` asked for."""
    rows = np.flatnonzero(split_of == part)
    if not len(rows):
        there = ", ".join(sorted(set(split_of.tolist()) - {""})) or "none"
        raise UserError(f"the set has no {part} images (its parts: {there})", "", "Name another part", argument=argument)
    rows = rows[np.argsort(labels[rows], kind="stable")]
    ends = np.searchsorted(labels[rows], np.arange(len(keys) + 1))
    return {key: rows[ends[i] : ends[i + 1]] for i, key in enumerate(keys)}


def _draw(rows: Rows, n: int | Literal["all"], rng: np.random.Generator) -> Rows:
    shuffled = rows[rng.permutation(len(rows))]
    return shuffled if n == "all" else shuffled[:n]


def _names(catalog: Catalog, labels: Rows, keys: Sequence[str]) -> dict[str, str]:
    """Display name of each product: the catalog's, else the key."""
    names = catalog.column("name")
    _, first = np.unique(labels, return_index=True)
    return {key: str(names[row]) if names[row] else key for key, row in zip(keys, first, strict=True)}


def _enough(pool: Images, shots_of: Mapping[str, int | str], novel: Sequence[str], names: Mapping[str, str], part: str) -> None:
    """Raise UserError that names the products with fewer images than shots."""
    short = [key for key, n in shots_of.items() if len(pool[key]) < (1 if n == "all" else int(n))]
    if not short:
        return
    short.sort(key=lambda key: len(pool[key]))
    shots = sorted({int(n) for key in short if (n := shots_of[key]) != "all"}) or [1]
    argument = "shots" if set(shots) & {int(n) for key, n in shots_of.items() if n != "all" and key in novel} else "base_shots"
    counts = ", ".join(f"{key}{f' ({names[key]})' if names[key] != key else ''} has {len(pool[key])}" for key in short[:8])
    more = f" and {len(short) - 8} more" if len(short) > 8 else ""
    fewest = min(len(pool[key]) for key in shots_of)
    raise UserError(
        f"{len(short)} products have fewer {part} images than the {' or '.join(map(str, shots))} shots asked for: {counts}{more}",
        "",
        f"Ask for at most {fewest} shots, or leave those products out" if fewest else "Leave those products out",
        argument=argument,
    )


def _notes(
    catalog: Catalog, tests: Mapping[int, Images], base: Sequence[str], novel: Sequence[str], shots_from: str, test_on: str
) -> tuple[str, ...]:
    notes = []
    lacking: set[str] = set()
    for images in tests.values():
        for kind, products in (("base", base), ("novel", novel)):
            if not any(len(images[key]) for key in products):
                raise UserError(
                    f"no test images of {kind} products", "", "Test on another part, or ask for fewer shots", argument="test_on"
                )
        lacking |= {key for key in (*base, *novel) if not len(images[key])}
    if lacking:
        notes.append(f"{len(lacking)} products have no test image: {', '.join(sorted(lacking)[:8])}{' …' if len(lacking) > 8 else ''}")
    if test_on in ("validation", shots_from) and any(source.kind == "rpc" for source in catalog.sources):
        notes.append(
            "shots and tests come from the same part: neighbouring images of a turntable or a shelf are near-identical, "
            "so these figures are higher than on images taken elsewhere"
        )
    return tuple(notes)
