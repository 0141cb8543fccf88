"""What automatic checkout is measured on: for each set exemplars for the index, scenes to train a detector on, and scenes to choose the
threshold on and to test on.

shop: the synthetic shop; its own scenes to choose and test on, scenes pasted from its exemplars to train on. fruits: all scenes pasted,
for training and choosing from the arcs of the train part, for tests from those of the test part. exemplars: 19 products cut out of the few
real exemplars there are; the index holds the very images that scenes are pasted from, so naming is easier than it would be.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from repr.catalog.sources import open_sources
from repr.catalog.table import Catalog
from repr.files import replacing
from repr.images.reader import read_image
from rpc_transfer.checkout.settings import Scenes
from rpc_transfer.checkout.synthesis import synthesize

Split = Literal["train", "val", "test"]
SIDE = 640  # pixels of pasted scenes
INSIDE = 4  # pixels inside the box: the real exemplars have it drawn on
NOVEL = 34
POOL = 14  # exemplars of a product of the shop, of which seeds draw


@dataclass(frozen=True)
class Part:
    """Scenes: the file of their truth, and the folder of their images."""

    truth: Path
    folder: Path

    @classmethod
    def of(cls, folder: Path, split: str) -> Part:
        """A part of a folder in RPC's layout."""
        return cls(folder / f"instances_{split}2019.json", folder / f"{split}2019")


@dataclass(frozen=True)
class Set:
    """exemplars: for the index; scenes: to train a detector on, None for a set that it does not see; novel: products that come later; base:
    scenes to train on without these."""

    name: str
    exemplars: Catalog
    scenes: Path | None
    val: Part
    test: Part
    novel: frozenset[str] = frozenset()
    base: Path | None = None


def pasted(
    out: Path,
    data: Path,
    n: int,
    split: Split,
    seed: int,
    *,
    part: Split = "train",
    backgrounds: Sequence[Path] = (),
) -> Path:
    """Scenes pasted from the exemplars of a part, in `out`; what is there is left as it is."""
    settings = Scenes(scenes=n, side=SIDE, split=split, part=part, seed=seed, exemplars=12)
    synthesize(out, [data], settings, backgrounds=backgrounds, workers=1)
    return out


def shop(folder: Path, out: Path, n: int) -> Set:
    """The synthetic shop in RPC's layout. n: 0 for a shop that no detector is trained on."""
    exemplars = open_sources([folder]).in_split("train")
    products = np.unique(exemplars.product_keys().astype(str))
    novel = frozenset(np.random.default_rng(0).permutation(products)[: min(NOVEL, len(products) // 4)].tolist())
    sources = {"shop": folder, "base": without(folder, novel, out / "shop-base")} if n else {}
    scenes = {name: pasted(out / f"{name}-scenes", data, n, "train", 1) for name, data in sources.items()}
    keys, rng = exemplars.product_keys().astype(str), np.random.default_rng(1)
    pool = [rng.permutation(np.flatnonzero(keys == product))[:POOL] for product in products]
    some = exemplars.select(np.sort(np.concatenate(pool)))
    return Set("shop", some, scenes.get("shop"), Part.of(folder, "val"), Part.of(folder, "test"), novel, scenes.get("base"))


def fruits(folder: Path, out: Path, n: int, tests: int, backgrounds: Sequence[Path]) -> Set:
    """Real photographs of eight fruits from all sides, on real counters where there are any."""
    scenes = pasted(out / "fruits-scenes", folder, n, "train", 1, backgrounds=backgrounds)
    val = pasted(out / "fruits-val", folder, tests, "val", 2, backgrounds=backgrounds)
    test = pasted(out / "fruits-test", folder, tests, "test", 3, part="test", backgrounds=backgrounds)
    return Set("fruits", open_sources([folder]).in_split("train"), scenes, Part.of(val, "val"), Part.of(test, "test"))


def real_exemplars(folder: Path, out: Path, n: int, tests: int) -> Set:
    """The real exemplars of RPC that there are, on its real empty counters."""
    crops, backgrounds = crops_of(folder, out / "crops"), [folder / "background"]
    plan: tuple[tuple[Split, int, int], ...] = (("train", n, 1), ("val", tests, 2), ("test", tests, 3))
    made = {split: pasted(out / f"exemplars-{split}", crops, count, split, seed, backgrounds=backgrounds) for split, count, seed in plan}
    parts = [Part.of(made[split], split) for split in ("val", "test")]
    return Set("exemplars", open_sources([crops]), made["train"], parts[0], parts[1])


def crops_of(folder: Path, out: Path) -> Path:
    """A folder a product with what is in the boxes of exemplars.csv."""
    with (folder / "exemplars.csv").open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    for n, row in enumerate(rows):
        place = out / row["category_id"] / f"{n}.png"
        if not place.is_file():
            x, y, w, h = (float(row[name]) for name in ("box_x", "box_y", "box_w", "box_h"))
            image = read_image(folder / row["file"])
            crop = image.crop((round(x) + INSIDE, round(y) + INSIDE, round(x + w) - INSIDE, round(y + h) - INSIDE))
            with replacing(place) as temporary:
                crop.save(temporary, "PNG")
    return out


def without(folder: Path, products: Collection[str], out: Path) -> Path:
    """The exemplars of a folder in RPC's layout without some products: a file beside links to its images."""
    content = json.loads((folder / "instances_train2019.json").read_text(encoding="utf-8"))
    left = [one for one in content["annotations"] if str(one["category_id"]) not in products]
    there = {one["image_id"] for one in left}
    images = [image for image in content["images"] if image["id"] in there]
    (out / "train2019").mkdir(parents=True, exist_ok=True)
    for image in images:
        link = out / "train2019" / image["file_name"]
        if not link.is_symlink():
            link.symlink_to((folder / "train2019" / image["file_name"]).resolve())
    with replacing(out / "instances_train2019.json") as temporary:
        temporary.write_text(json.dumps({**content, "images": images, "annotations": left}), encoding="utf-8")
    return out
