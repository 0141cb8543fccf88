"""The synthetic shop in RPC's format: instances_{train,val,test}2019.json and the three image folders, with RPC's own keys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from repr.records import Json
from repr.synthetic.exemplars import SIZE, draw_exemplars, shots
from repr.synthetic.identity import skus
from repr.synthetic.scenes import LEVELS, Habits, draw_scene, shopping_lists
from repr.synthetic.vocabulary import SUPERCATEGORIES

Box = tuple[float, float, float, float]
LEVEL_NAMES = tuple(LEVELS)
TAKES = 2  # how often one shopping list is photographed, in other arrangements


@dataclass(frozen=True)
class Scene:
    """One checkout image to be drawn."""

    split: str
    number: int  # within the split
    name: str
    level: str
    basket: tuple[int, ...]
    side: int


@dataclass(frozen=True)
class Drawn:
    """A written image and what is on it: (category id, box, point) each."""

    file_name: str
    width: int
    height: int
    level: str | None
    objects: list[tuple[int, Box, tuple[float, float]]]


def barcode(category: int) -> int:
    """A made-up EAN-13 from the range 200–299, which GS1 leaves to shops for their own use."""
    digits = f"2690000{category:05d}"
    odd, even = sum(map(int, digits[::2])), sum(map(int, digits[1::2]))
    return int(digits + str(-(odd + 3 * even) % 10))


def plan(scenes: dict[str, int], categories: list[int], seed: int) -> list[Scene]:
    """The checkout images of val and test, of these SKUs; scenes a split must be a multiple of six (three levels, two takes)."""
    planned = []
    for order, (split, total) in enumerate(scenes.items()):
        rng = np.random.default_rng([seed, 5, order])
        lists = total // TAKES
        levels = [LEVEL_NAMES[i % 3] for i in range(lists)]
        time = datetime(2018, 8, 24, 13, 40) + timedelta(days=order * 19)
        number = 0
        for shopping_list, (level, basket) in enumerate(zip(levels, shopping_lists(categories, levels, rng), strict=True), start=1):
            for _ in range(TAKES):
                time += timedelta(seconds=int(rng.integers(9, 70)))
                name = f"{time:%Y%m%d-%H-%M-%S}-{shopping_list}.jpg"
                planned.append(Scene(split, number, name, level, tuple(basket), int(rng.integers(596, 612))))
                number += 1
    return planned


def draw_sku(folder: Path, category: int, count: int, seed: int, loud: bool = False) -> list[Drawn]:
    """Draw and write a SKU's exemplars."""
    rng = np.random.default_rng([seed, 6, category])
    product = skus(seed, loud)[category]
    exemplars = shots(product, count, rng)
    written = []
    for shot, (image, box) in zip(exemplars, draw_exemplars(product, exemplars, rng), strict=True):
        name = f"{barcode(category)}{'-back' if shot.back else ''}_camera{shot.camera}-{shot.turn}.jpg"
        image.save(folder / "train2019" / name, quality=86)
        x, y, width, height = (float(n) for n in box)
        written.append(Drawn(name, *SIZE, None, [(category, (x, y, width, height), (x + width / 2, y + height / 2))]))
    return written


def draw_checkout(folder: Path, scene: Scene, seed: int, habits: Habits, loud: bool = False) -> list[Drawn]:
    """Draw and write one checkout image."""
    rng = np.random.default_rng([seed, 7, ("val", "test").index(scene.split), scene.number])
    products = skus(seed, loud)
    image, placed = draw_scene([(c, products[c]) for c in scene.basket], scene.level, scene.side, rng, habits)
    image.save(folder / f"{scene.split}2019" / scene.name, quality=88)
    return [Drawn(scene.name, scene.side, scene.side, scene.level, [(p.category, p.box, p.point) for p in placed])]


def folders(folder: Path) -> None:
    """Make the image folders."""
    for split in ("train", "val", "test"):
        (folder / f"{split}2019").mkdir(parents=True)


def write_annotations(folder: Path, split: str, drawn: list[Drawn], categories: list[int], seed: int) -> None:
    """Write instances_<split>2019.json, which names these SKUs."""
    images: list[Mapping[str, Json]] = []
    annotations: list[Mapping[str, Json]] = []
    for image_id, image in enumerate(drawn):
        entry: dict[str, Json] = {"file_name": image.file_name, "width": image.width, "height": image.height, "id": image_id}
        images.append(entry if image.level is None else {**entry, "level": image.level})
        for category, box, point in image.objects:
            annotations.append(
                {
                    "area": box[2] * box[3],
                    "bbox": list(box),
                    "category_id": category,
                    "id": len(annotations),
                    "image_id": image_id,
                    "iscrowd": 0,
                    "segmentation": [[]],
                    "point_xy": list(point),
                }
            )
    content = {**_head(categories, seed), "images": images, "annotations": annotations}
    (folder / f"instances_{split}2019.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def _head(categories: list[int], seed: int) -> dict[str, Json]:
    """What all three files say of the products, under RPC's keys."""
    products = {category: skus(seed)[category] for category in categories}
    supercategories = {supercategory.name: supercategory for supercategory in SUPERCATEGORIES}
    names = {category: f"{category}_{product.supercategory}" for category, product in products.items()}
    return {
        "info": {
            "description": "A synthetic shop in the format of RPC; no real products",
            "version": "synthetic",
            "year": 2019,
            "url": "",
            "contributor": "",
        },
        "licenses": [],
        "categories": [
            {"supercategory": product.supercategory, "id": category, "name": names[category]} for category, product in products.items()
        ],
        "__raw_Chinese_name_df": [
            {
                "sku_name": names[category],
                "category_id": category,
                "sku_class": product.supercategory,
                "code": barcode(category),
                "shelf": 1 + supercategories[product.supercategory].ids[0] // 12,
                "num": 4,
                "name": product.title,
                "clas": supercategories[product.supercategory].chinese,
                "known": True,
                "ind": place,
            }
            for place, (category, product) in enumerate(products.items())
        ],
    }
