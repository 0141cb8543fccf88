"""What is made for a counter and counted on it: masks of exemplars, pasted scenes, the metrics of a results file.

    python tools/bench/counter.py [--share 1] [--json] [--keep FILE]

- masks, a row a method: 92 exemplars of 23 products of the synthetic shop, whose masks are known: mean IoU, the share below 0.8, ms each.
  `ratio`: mean IoU over 0.9.
- scenes: of 800 px from these exemplars by one process, a second of its processor time. Bar: 10 on two cores, so 5; `ratio` is over it.
- metrics, with and without mAP: 24,000 images with 294,333 objects of 200 products and 370,000 boxes, made up. Bars 10 and 90 s, read from
  files; `ratio` is the bar over the seconds. --share: of these numbers, and of the products.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import harness
import numpy as np

from repr.arrays import Bools
from repr.synthetic.camera import Sprite
from repr.synthetic.exemplars import draw_sprites, shots
from repr.synthetic.identity import skus
from rpc_transfer.checkout.evaluation import evaluate
from rpc_transfer.checkout.files import LEVELS
from rpc_transfer.checkout.masks import METHODS, product_mask
from rpc_transfer.checkout.settings import Scenes
from rpc_transfer.checkout.synthesis import synthesize

PRODUCTS, EACH = 23, 4
AROUND = 0.25  # of the box's longer side: ground that masks are found with
SCENES = 60
IMAGES, OBJECTS, BOXES, CLASSES = 24_000, 294_333, 370_000, 200
BARS = {False: 10.0, True: 90.0}
Row = harness.Row


def exemplars(n: int, folder: Path) -> list[tuple[Any, Sprite]]:
    """Of n products, spread over the shop, written as class folders too, cut out by their boxes."""
    products, rng = skus(0), np.random.default_rng(0)
    drawn = []
    for category in list(products)[:: max(1, len(products) // n)][:n]:
        made = draw_sprites(products[category], shots(products[category], EACH, rng), rng)
        for number, (image, sprite) in enumerate(made):
            x, y, w, h = sprite.box
            place = folder / str(category) / f"{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            image.crop((x, y, x + w, y + h)).save(place)
        drawn += made
    return drawn


def masks(drawn: list[tuple[Any, Sprite]]) -> Iterator[Row]:
    """A row a method."""
    for method in METHODS:
        fits, seconds = list[float](), 0.0
        for image, sprite in drawn:
            pixels, true = np.asarray(image.convert("RGB")), _true(image.size, sprite)
            x, y, w, h = sprite.box
            around = round(AROUND * max(w, h))
            left, top = max(0, x - around), max(0, y - around)
            part = slice(top, y + h + around), slice(left, x + w + around)
            begun = time.process_time()
            mask = product_mask(pixels[part], (x - left, y - top, x - left + w, y - top + h), method)
            seconds += time.process_time() - begun
            fits.append(float((mask & true[part]).sum() / (mask | true[part]).sum()))
        iou = float(np.mean(fits))
        below = float(np.mean(np.array(fits) < 0.8))
        ms = 1000 * seconds / len(drawn)
        yield {"name": f"masks, {method}", "ratio": iou / 0.9, "iou": iou, "below_0.8": below, "ms": ms, "exemplars": len(drawn)}


def _true(size: tuple[int, int], sprite: Sprite) -> Bools:
    mask = np.zeros((size[1] + 2, size[0] + 2), bool)
    alpha = np.asarray(sprite.image.getchannel("A")) > 127
    rows, columns = np.nonzero(alpha)
    rows, columns = rows + sprite.top, columns + sprite.left
    there = (rows >= 0) & (columns >= 0) & (rows < size[1]) & (columns < size[0])
    mask[rows[there], columns[there]] = True
    return mask[:-2, :-2]


def scenes(folder: Path, out: Path, n: int) -> Row:
    """Cutting out included."""
    begun = time.process_time()
    synthesize(out, [folder], Scenes(scenes=n), workers=1)
    rate = n / (time.process_time() - begun)
    return {"name": "scenes", "ratio": rate / 5, "scenes_a_second": rate, "scenes": n, "side": 800}


def metrics(folder: Path, share: float) -> Iterator[Row]:
    """Of files, made up, their scores and most of their boxes right."""
    rng = np.random.default_rng(0)
    images, objects, boxes = (max(30, round(share * n)) for n in (IMAGES, OBJECTS, BOXES))
    image, kinds = rng.integers(0, images, objects), rng.integers(1, CLASSES + 1, objects)
    places = np.column_stack([rng.uniform(0, 1500, (objects, 2)), rng.uniform(80, 300, (objects, 2))]).round(1)
    true = {
        "categories": [{"id": id_, "name": str(id_), "supercategory": ""} for id_ in range(1, CLASSES + 1)],
        "images": [{"id": n, "file_name": f"{n}.jpg", "width": 1800, "height": 1800, "level": LEVELS[n % 3]} for n in range(images)],
        "annotations": [
            {"id": n + 1, "image_id": int(image[n]), "category_id": int(kinds[n]), "bbox": places[n].tolist(), "area": 1, "iscrowd": 0}
            for n in range(objects)
        ],
    }
    rows = np.concatenate([np.arange(objects), rng.integers(0, objects, max(0, boxes - objects))])[:boxes]
    named = np.where(rng.random(boxes) < 0.95, kinds[rows], rng.integers(1, CLASSES + 1, boxes))
    moved = places[rows] + rng.normal(0, 4, (boxes, 4))
    scores = rng.beta(5, 2, boxes)
    results = [
        {"image_id": int(image[row]), "category_id": int(kind), "bbox": box, "score": score}
        for row, kind, box, score in zip(rows, named, moved.tolist(), scores.tolist(), strict=True)
    ]
    for name, content in (("gt.json", true), ("results.json", results)):
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    for with_map, bar in BARS.items():
        begun = time.perf_counter()
        evaluate(folder / "gt.json", folder / "results.json", threshold=0.5, with_map=with_map)
        seconds = time.perf_counter() - begun
        name = f"metrics{', with mAP' if with_map else ''}"
        yield {"name": name, "ratio": bar / seconds, "seconds": seconds, "images": images, "objects": objects, "boxes": boxes}


def measured(share: float) -> Iterator[Row]:
    """A row each."""
    with tempfile.TemporaryDirectory() as place:
        drawn = exemplars(max(2, round(share * PRODUCTS)), Path(place) / "exemplars")
        yield from masks(drawn)
        yield scenes(Path(place) / "exemplars", Path(place) / "scenes", max(3, round(share * SCENES)))
        yield from metrics(Path(place), share)


def main() -> None:
    """Print a row each, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--share", type=float, default=1.0, help="of all numbers, to try it (default: all)")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="write the figures to a JSON file")
    arguments = parser.parse_args()
    harness.show(measured(arguments.share), as_json=arguments.json, kept=arguments.keep)


if __name__ == "__main__":
    main()
