"""Do more views of each stored image help a lookup? Mirrored, cropped, turned and seen from further away: results/views.json.

    python tools/experiments/views.py --data DIR --out runs/views

Of grocery, freiburg and fruits 15 training images a product, evenly drawn, and four further views of each (of grocery, which has most, the
first two), embedded as the index does; 1, 2, 5 and 10 of them stored, five draws, with and without their views; asked are the other
training images. No test image is used.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import stored
from lookup import CROPS, SEEDS, SHOTS, images, row
from PIL import Image, ImageOps
from stored import Experiment, Step

from repr import runs
from repr.arrays import Floats, Ints
from repr.crops import suffix
from repr.embedding.embedder import Embedder
from repr.evaluation.statistics import paired
from repr.experiments.document import Comparison, Document, Row
from repr.images.reader import read_image
from repr.learners import make
from repr.models.weights import load_encoder

FILE = stored.RESULTS / "views.json"
SETS = ("grocery", "freiburg", "fruits")
LEARNERS = ("neighbour", "ncm")
POOL = 15  # training images a product that are drawn from
PIECE = 128  # images embedded at a time
CLOSER, FURTHER, DEGREES = 0.85, 1.15, 8.0


def mirrored(image: Image.Image, number: int) -> Image.Image:
    """Left is right."""
    return ImageOps.mirror(image)


def cropped(image: Image.Image, number: int) -> Image.Image:
    """CLOSER of either side, in one of the corners."""
    w, h = image.size
    wide, high = round(w * CLOSER), round(h * CLOSER)
    x, y = ((0, 0), (w - wide, 0), (0, h - high), (w - wide, h - high))[number % 4]
    return image.crop((x, y, x + wide, y + high))


def turned(image: Image.Image, number: int) -> Image.Image:
    """By a few degrees to one side or the other; the corners in the image's mean colour."""
    return image.rotate(DEGREES if number % 2 else -DEGREES, Image.Resampling.BICUBIC, fillcolor=_mean(image))


def further(image: Image.Image, number: int) -> Image.Image:
    """A frame around it in its mean colour, so that what it shows is smaller."""
    w, h = image.size
    return ImageOps.expand(image, (round(w * (FURTHER - 1) / 2), round(h * (FURTHER - 1) / 2)), fill=_mean(image))


VIEWS: tuple[Callable[[Image.Image, int], Image.Image], ...] = (mirrored, cropped, turned, further)
FEWER = {"grocery": 2}  # views of a set, if not all


def _mean(image: Image.Image) -> tuple[int, ...]:
    return tuple(int(value) for value in np.asarray(image).reshape(-1, 3).mean(axis=0))


@dataclass(frozen=True, eq=False)
class Pool:
    """rows: (p,) of the set's images that may be stored; views: (v, p, d) features of their further views."""

    rows: Ints
    views: Floats


def pool(data: Path, out: Path, name: str) -> Pool:
    """Of a set, kept under `out`."""
    dataset, file = images(data, name, 160), out / f"{name}.npz"
    if file.is_file():
        arrays = np.load(file)
        return Pool(arrays["rows"], arrays["views"])
    generator, drawn = np.random.default_rng(0), list[Ints]()
    for product in np.unique(dataset.products[dataset.stored]):
        own = np.flatnonzero(dataset.stored & (dataset.products == product))
        drawn.append(generator.choice(own, min(POOL, len(own)), replace=False))
    rows = np.sort(np.concatenate(drawn))
    files = [dataset.files[row] for row in rows]
    embedder = Embedder(load_encoder("imagenet", size=160, crops=CROPS), device="cpu")
    views = np.stack([np.concatenate(list(_embedded(embedder, files, rows, view))) for view in VIEWS[: FEWER.get(name)]])
    out.mkdir(parents=True, exist_ok=True)
    np.savez(file, rows=rows, views=views)
    return Pool(rows, views)


def _embedded(embedder: Embedder, files: list[Path], rows: Ints, view: Callable[[Image.Image, int], Image.Image]) -> Iterator[Floats]:
    for start in range(0, len(files), PIECE):
        part = zip(files[start : start + PIECE], rows[start : start + PIECE].tolist(), strict=True)
        yield embedder.images([view(read_image(file), number) for file, number in part]).features


def measured(data: Path, out: Path, name: str) -> tuple[list[Row], list[Comparison]]:
    """Rows without and with views, and their differences, of a set."""
    dataset, drawn, rows, tests = images(data, name, 160), pool(data, out, name), list[Row](), list[Comparison]()
    query_rows = np.setdiff1d(np.flatnonzero(dataset.stored), drawn.rows)
    names, y = np.unique(dataset.products, return_inverse=True)
    for shots in SHOTS:
        for learner in LEARNERS:
            figures: dict[str, list[dict[str, float]]] = {"none": [], "more": []}
            for seed in SEEDS:
                generator, own = np.random.default_rng(seed), y[drawn.rows]
                places = np.concatenate([generator.choice(np.flatnonzero(own == k), shots, replace=False) for k in range(len(names))])
                chosen = drawn.rows[places]
                for views, values in figures.items():
                    more = [] if views == "none" else list(drawn.views[:, places])
                    x, labels = np.concatenate([dataset.features[chosen], *more]), np.tile(y[chosen], 1 + len(more))
                    predictions = make(learner).learn(x, labels).predict(dataset.features[query_rows])
                    values.append({"first": float((predictions == y[query_rows]).mean())})
            config: dict[str, str | int] = {"set": name, "size": 160, "learner": learner, "shots": shots, "asked": len(query_rows)}
            rows += [row({**config, "views": views}, values) for views, values in figures.items()]
            test = paired(*([one["first"] for one in figures[views]] for views in ("more", "none")))
            tests.append(Comparison(len(rows) - 1, len(rows) - 2, "views", "first", test.difference, test.ci95, test.p, len(SEEDS)))
    return rows, tests


@click.command()
@click.argument("sets", nargs=-1, type=click.Choice(SETS))
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True, help="The folder that holds the sets.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/views"), show_default=True, help="Where features are kept.")
def main(sets: tuple[str, ...], data: Path, out: Path) -> None:
    """Measure SETS (by default all), and store what each has shown as soon as it has."""
    for name in sets or SETS:
        rows, tests = measured(data, out, name)
        run = f"python tools/experiments/views.py {name} --data {{data}} --out {{out}}"
        step = Step(name, run, found=Document("views", name, False, tuple(rows), tuple(tests)))
        before = {one.step: one for one in stored.read(FILE).steps} if FILE.is_file() else {}
        steps = tuple(({**before, name: step})[one] for one in SETS if one == name or one in before)
        title = f"More views of each stored image, EfficientNet-Lite0 from ImageNet{suffix(CROPS)}"
        today = datetime.date.today().isoformat()
        stored.write(FILE, Experiment(experiment=FILE.stem, title=title, written=today, environment=runs.environment(), steps=steps))


if __name__ == "__main__":
    main()
