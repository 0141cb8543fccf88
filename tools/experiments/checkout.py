"""Automatic checkout measured: naming apart from boxes, on the synthetic shop and on scenes composed of fruits. One command, resumable.

    python tools/experiments/checkout.py --shop SHOP/rpc --fruits FRUITS --out results [--background DIR] [--scenes DIR]

A row a data set, weights, learner and source of boxes; means over seeds, which draw the ten exemplars a product that are in the index.
The threshold of the strict numbers is chosen on other scenes (shop: val2019; fruits: scenes of the train arcs). A file a seed in --out is
kept, and not computed again. --scenes: real scenes without labels, named by shopping list, of which agreement is counted.
"""

from __future__ import annotations

import itertools
import json
import logging
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from repr.arrays import Ints
from repr.catalog.passed import Tally
from repr.catalog.sources import open_sources
from repr.catalog.table import Catalog
from repr.embedding.embeddings import Embeddings
from repr.files import write_json
from repr.images.boxes import Box
from repr.images.reader import crop_square, read_image
from repr.lookup.index import Index
from repr.models.weights import Weights, fresh, read_weights
from rpc_transfer.checkout.counting import Tape
from rpc_transfer.checkout.evaluation import measure
from rpc_transfer.checkout.files import Counter as Truth
from rpc_transfer.checkout.files import Detected, read_counter
from rpc_transfer.checkout.proposals import propose
from rpc_transfer.checkout.settings import Scenes
from rpc_transfer.checkout.synthesis import synthesize

log = logging.getLogger("rpc_transfer.experiment")

SHOTS, NOVEL = 10, 34
BOXES = ("true", "classical")
LEARNERS = ("neighbour", "")  # "": what the index chooses itself
FIT = 0.5  # IoU from which a box is of a product


@dataclass(frozen=True)
class Part:
    """The scenes of a part with boxes of each kind: rows of the embeddings are boxes. image: (n,) numbers of the truth's images."""

    truth: Truth
    image: dict[str, Ints]
    boxes: dict[str, list[Box]]
    scores: dict[str, list[float]]
    made: dict[str, Embeddings]


def part_of(index: Index, truth_file: Path, folder: Path, most: int) -> Part:
    """The first `most` scenes of a truth file, with the embeddings of true boxes and of proposals by the index's weights."""
    truth = read_counter(truth_file, Tally())
    places = defaultdict(list)
    for row, number in enumerate(truth.image.tolist()):
        places[number].append(row)
    image: dict[str, list[Any]] = {kind: [] for kind in BOXES}
    boxes: dict[str, list[Any]] = {kind: [] for kind in BOXES}
    scores: dict[str, list[Any]] = {kind: [] for kind in BOXES}
    crops: dict[str, list[Any]] = {kind: [] for kind in BOXES}
    kept = np.arange(min(most, len(truth.names)))
    for number in kept.tolist():
        picture = read_image(folder / truth.names[number])
        found = {"true": [(tuple(truth.boxes[row]), 1.0) for row in places[number]]}
        found["classical"] = [(one.box, one.score) for one in propose(picture)]
        for kind in BOXES:
            for box, score in found[kind]:
                image[kind].append(number)
                boxes[kind].append(box)
                scores[kind].append(score)
                crops[kind].append(np.asarray(crop_square(picture, box).resize((index.embedder.encoder.side,) * 2)))
    made = {kind: index.embedder.images(crops[kind]) for kind in BOXES}
    mine = np.isin(truth.image, kept)
    smaller = Truth(
        truth.ids,
        truth.names[: len(kept)],
        truth.levels[: len(kept)],
        truth.categories,
        truth.image[mine],
        truth.product[mine],
        truth.boxes[mine],
    )
    return Part(smaller, {kind: np.array(image[kind], np.int64) for kind in BOXES}, boxes, scores, made)


def named(index: Index, part: Part, kind: str) -> tuple[Detected, list[str], list[bool]]:
    """The results of a kind of boxes, and the best product and whether it is unknown of each."""
    answers = index.answer(part.made[kind], 1)
    other = len(part.truth.categories)
    best = [matches[0].product for matches, _ in answers]
    unknown = [flag for _, flag in answers]
    product = [other if flag else part.truth.categories.get(name, other) for name, flag in zip(best, unknown, strict=True)]
    chance = [matches[0].probability or 0.0 for matches, _ in answers]
    scores = np.array(part.scores[kind]) * np.array(chance)
    return Detected(part.image[kind], np.array(product, np.int64), np.array(part.boxes[kind]).reshape(-1, 4), scores), best, unknown


def threshold_on(index: Index, part: Part, kind: str) -> float:
    """The threshold of the best cAcc."""
    found, _, _ = named(index, part, kind)
    return Tape.of(part.truth, found, np.ones(len(part.truth.names), bool)).best_threshold()


def errors(part: Part, found: Detected, above: dict[int, str]) -> dict[str, float]:
    """Where true boxes are lost, as shares of them, and boxes too many, as a share of the true ones. above: supercategory of a category."""
    counts: Counter[str] = Counter()
    other, matched = len(part.truth.categories), set[int]()
    for image, product, box in zip(part.truth.image, part.truth.product, part.truth.boxes, strict=True):
        rows = np.flatnonzero(found.image == image)
        overlaps = [(iou(box, found.boxes[row]), int(row)) for row in rows if int(row) not in matched]
        best, row = max(overlaps, default=(0.0, -1))
        if best < FIT:
            counts["missed"] += 1
            continue
        matched.add(row)
        got = int(found.product[row])
        kind = "unknown" if got == other else "right" if got == product else "within" if above[got] == above[int(product)] else "across"
        counts[kind] += 1
    counts["too many"] = len(found.image) - len(matched)
    return {kind: counts[kind] / max(1, len(part.truth.image)) for kind in ("right", "missed", "within", "across", "unknown", "too many")}


def iou(one: Sequence[float], other: Sequence[float]) -> float:
    """Of two boxes x, y, w, h."""
    across = max(0.0, min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0]))
    common = across * max(0.0, min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1]))
    return common / (one[2] * one[3] + other[2] * other[3] - common)


def shots_of(catalog: Catalog, seed: int) -> Ints:
    """Rows of SHOTS exemplars a product."""
    keys, rng = catalog.product_keys().astype(str), np.random.default_rng(seed)
    chosen = [rng.permutation(np.flatnonzero(keys == key))[:SHOTS] for key in np.unique(keys)]
    return np.sort(np.concatenate(chosen))


def recall(index: Index, part: Part, of: set[int]) -> float:
    """The share of true boxes of these products that are named rightly."""
    found, _, _ = named(index, part, "true")
    mine = np.isin(found_products := part.truth.product, list(of))
    return float((found.product == found_products)[mine].mean()) if mine.any() else float("nan")


def later(folder: Path, weights: Weights, catalog: Catalog, part: Part, seed: int) -> dict[str, float]:
    """Recall of NOVEL products that came later, by the index alone, and of the others before and after; beside all at once."""
    keys = catalog.product_keys().astype(str)
    names = sorted(set(keys) & set(part.truth.categories))
    novel = set(np.random.default_rng(seed).permutation(names)[: min(NOVEL, len(names) // 4)].tolist())
    numbers = {number for name, number in part.truth.categories.items() if name in novel}
    base = set(part.truth.categories.values()) - numbers
    index = Index.create(folder, weights=weights, device="cpu")
    index.add_catalog(catalog.select(~np.isin(keys, list(novel))))
    index.settle()
    told = {"base before": recall(index, part, base)}
    index.add_catalog(catalog.select(np.isin(keys, list(novel))))
    told |= {"base after": recall(index, part, base), "novel later": recall(index, part, numbers)}
    index.settle()
    return told | {"novel at once": recall(index, part, numbers), "base at once": recall(index, part, base)}


def trial(
    name: str, catalog: Catalog, tests: tuple[Path, Path], vals: tuple[Path, Path], weights: Weights, seed: int, most: int
) -> dict[str, object]:
    """One data set, weights and seed."""
    chosen = catalog.select(shots_of(catalog, seed))
    codes = catalog.column("class_1")
    above_of = {str(key): str(code) for key, code in zip(catalog.product_keys(), codes, strict=True)}
    rows: list[dict[str, object]] = []
    folder = Path(tempfile.mkdtemp(prefix="checkout-"))
    try:
        index = Index.create(folder / "i", weights=weights, device="cpu")
        index.add_catalog(chosen)
        test, val = part_of(index, *tests, most), part_of(index, *vals, most)
        above = {number: above_of.get(id_, "") for id_, number in test.truth.categories.items()}
        for learner in LEARNERS:
            settled = index.settle(learner or None)
            for kind in BOXES:
                threshold = threshold_on(index, val, kind)
                found, _, _ = named(index, test, kind)
                levels = measure(test.truth, found, threshold, with_map=True)
                numbers = {mode: {level: vars(row) for level, row in of.items()} for mode, of in levels.items()}
                row = {"learner": learner or f"chosen: {settled.learner}", "boxes": kind, "levels": numbers}
                rows.append({**row, "errors": errors(test, found, above)})
        added = later(folder / "later", weights, chosen, test, seed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {"data": name, "weights": weights.name, "seed": seed, "rows": rows, "added": added}


def agreement(folder: Path) -> dict[str, float]:
    """Of real scenes named <date>-<time>-<list>: the share of pairs of one list with equally many boxes, and the mean difference."""
    counts = defaultdict(list)
    for file in sorted(folder.iterdir()):
        counts[file.stem.rsplit("-", 1)[-1]].append(len(propose(read_image(file))))
    pairs = [pair for of in counts.values() for pair in itertools.combinations(of, 2)]
    return {
        "pairs": len(pairs),
        "equal": float(np.mean([a == b for a, b in pairs])),
        "difference": float(np.mean([abs(a - b) for a, b in pairs])),
    }


@click.command()
@click.option("--shop", type=click.Path(path_type=Path), help="The synthetic shop's folder rpc.")
@click.option("--fruits", type=click.Path(path_type=Path), help="Fruits in RPC's layout.")
@click.option("--background", type=click.Path(path_type=Path), multiple=True, help="Empty counters for the scenes of fruits.")
@click.option("--scenes", type=click.Path(path_type=Path), help="Real scenes without labels.")
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--seeds", type=int, default=5, show_default=True)
@click.option("--most", type=int, default=168, show_default=True, help="Scenes of a part.")
@click.option("--weights", "names", multiple=True, default=("imagenet", "none"), show_default=True)
def main(
    shop: Path | None,
    fruits: Path | None,
    background: tuple[Path, ...],
    scenes: Path | None,
    out: Path,
    seeds: int,
    most: int,
    names: tuple[str, ...],
) -> None:
    """Measure, a file a trial, and gather them."""
    logging.basicConfig(level=logging.INFO)
    out.mkdir(parents=True, exist_ok=True)
    sets: dict[str, tuple[Catalog, tuple[Path, Path], tuple[Path, Path]]] = {}
    if fruits is not None:
        for part, seed in (("test", 0), ("train", 1)):
            settings = Scenes(scenes=most, side=800, part=part, split="test", seed=seed)  # type: ignore[arg-type]
            synthesize(out / f"fruits-{part}", [fruits], settings, backgrounds=background)
        parts = [(out / f"fruits-{part}" / "instances_test2019.json", out / f"fruits-{part}" / "test2019") for part in ("test", "train")]
        sets["fruits"] = (open_sources([fruits]).in_split("train"), parts[0], parts[1])
    if shop is not None:
        parts = [(shop / f"instances_{part}2019.json", shop / f"{part}2019") for part in ("test", "val")]
        sets["shop"] = (open_sources([shop]).in_split("train"), parts[0], parts[1])
    for seed, (name, (catalog, tests, vals)), weights_name in itertools.product(range(seeds), sets.items(), names):
        file = out / f"{name}-{weights_name}-{seed}.json"
        if not file.is_file():
            weights = fresh("resnet18", 64, seed) if weights_name == "none" else read_weights(weights_name)
            write_json(file, trial(name, catalog, tests, vals, weights, seed, most))
            log.info(f"{file.name} written")
    if scenes is not None:
        write_json(out / "agreement.json", agreement(scenes))
    table(out)


def table(out: Path) -> None:
    """Print the means over seeds as Markdown."""
    cells = defaultdict(list)
    for file in sorted(out.glob("*-*-[0-9]*.json")):
        content = json.loads(file.read_text())
        weights = file.stem.split("-")[1]
        for row in content["rows"]:
            learner = row["learner"].split(":")[0]
            for level, numbers in row["levels"]["strict"].items():
                cells[content["data"], weights, learner, row["boxes"], level].append(
                    {**numbers, **row["errors"], "tool": row["levels"]["rpctool"][level]["cAcc"]}
                )
    columns = ("cAcc", "tool", "ACD", "mCCD", "mCIoU", "mAP50", "mmAP")
    click.echo("| data | weights | learner | boxes | level | seeds | " + " | ".join(columns).replace("tool", "cAcc as rpctool") + " |")
    click.echo("|" + " --- |" * (6 + len(columns)))
    for key, values in cells.items():
        means = [np.mean([value[column] for value in values if value[column] is not None] or [np.nan]) for column in columns]
        click.echo("| " + " | ".join([*key, str(len(values)), *(f"{mean:.3f}" for mean in means)]) + " |")


if __name__ == "__main__":
    main()
