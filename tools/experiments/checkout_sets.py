"""What automatic checkout is measured on: for each set exemplars for the index, scenes to train detectors on, and scenes to choose on and
to test on.

fruits: scenes to train on and the index from the first two thirds of the train arcs, scenes to choose on from the last part of these,
scenes to test on from the test arcs. exemplars: 19 products cut out of the few real exemplars there are; the index holds the very images
that scenes are pasted from, so naming is easier than it would be. shop: the synthetic shop; its own scenes to choose and test on, scenes
pasted from its exemplars to train on.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from repr.catalog.table import Catalog
from repr.files import replacing
from repr.images.reader import read_image
from rpc_transfer.checkout.exemplars import exemplars_of, read_exemplars
from rpc_transfer.checkout.settings import Scenes
from rpc_transfer.checkout.synthesis import synthesize

Split = Literal["train", "val", "test"]
SIDE = 640  # pixels of pasted scenes
INSIDE = 4  # pixels inside the box: the real exemplars have it drawn on
NOVEL = 34
SHOTS = 10  # exemplars of a product in the index
TRAINED = 12  # of a product, that scenes to train on are pasted from
SEEN = (2,)  # scenes a product, of about twelve each, whose boxes are in the index: the last of them, the others to choose
INDEXED, CHOSEN = 118, 135  # frames of a fruit's turn: of the index to the first, of scenes to choose on from the second; train ends at 176


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
    """base, novel: folders whose train part goes into the index; novel: products that come later, None where none do. scenes: to train a
    detector on; base_scenes: the same without what comes later. backgrounds: of pasted scenes; amounts: as SEEN."""

    name: str
    base: Path
    novel: Path | None
    scenes: Path
    base_scenes: Path | None
    val: Part
    test: Part
    backgrounds: tuple[Path, ...] = ()
    amounts: tuple[int, ...] = SEEN

    def exemplars(self, seed: int) -> list[Catalog]:
        """SHOTS drawn exemplars of each product, of base and of novel ones."""
        return [_drawn(_exemplars(folder), seed) for folder in self._folders]

    def seen(self, seed: int, amount: int, out: Path) -> list[Catalog]:
        """The same exemplars as a counter shows them: pasted into scenes in `out`, `amount` a product, of which each box is a row."""
        found = []
        for folder in self._folders:
            products = len(np.unique(_exemplars(folder).product_keys().astype(str)))
            place = out / f"{self.name}-seen{amount}-{folder.name}-{seed}"
            pasted(place, folder, amount * products, "train", seed, exemplars=SHOTS, backgrounds=self.backgrounds)
            found.append(read_exemplars([place], "train"))
        return found

    @property
    def _folders(self) -> list[Path]:
        return [self.base] if self.novel is None else [self.base, self.novel]

    def supercategories(self) -> dict[str, str]:
        """Of each product."""
        return {key: above for folder in self._folders for key, above in _supercategories(_exemplars(folder)).items()}

    def novel_products(self) -> frozenset[str]:
        """Ids of those that come later."""
        return frozenset() if self.novel is None else frozenset(_exemplars(self.novel).product_keys().astype(str).tolist())


def _exemplars(folder: Path) -> Catalog:
    return read_exemplars([folder], "train")


def _supercategories(catalog: Catalog) -> dict[str, str]:
    codes, names = catalog.column("class_1").tolist(), catalog.classes[0]
    above = [names[code].name if code is not None and code >= 0 else "" for code in codes]
    return dict(zip(catalog.product_keys().astype(str).tolist(), above, strict=True))


def _drawn(catalog: Catalog, seed: int) -> Catalog:
    """The exemplars that `synthesize` draws with this seed."""
    chosen = exemplars_of(catalog, SHOTS, np.random.default_rng([seed, 1]))
    wanted = {(one.file, product) for product, of in chosen.items() for one in of}
    pairs = zip(catalog.files(), catalog.product_keys().astype(str).tolist(), strict=True)
    return catalog.select(np.array([row for row, pair in enumerate(pairs) if pair in wanted], np.int64))


def pasted(
    out: Path,
    data: Path,
    n: int,
    split: Split,
    seed: int,
    *,
    part: Split = "train",
    exemplars: int = TRAINED,
    backgrounds: Sequence[Path] = (),
) -> Path:
    """Scenes pasted from the exemplars of a part, in `out`; what is there is left as it is."""
    settings = Scenes(scenes=n, side=SIDE, split=split, part=part, seed=seed, exemplars=exemplars)
    synthesize(out, [data], settings, backgrounds=backgrounds, workers=1)
    return out


def fruits(folder: Path, out: Path, n: int, val: int, test: int, backgrounds: Sequence[Path]) -> Set:
    """Real photographs of eight fruits from all sides, on real counters where there are any."""
    index = kept(folder, out / "fruits-index", lambda name, _: _frame(name) <= INDEXED)
    choose = kept(folder, out / "fruits-choose", lambda name, _: _frame(name) >= CHOSEN)
    scenes = pasted(out / "fruits-scenes", index, n, "train", 101, backgrounds=backgrounds)
    vals = pasted(out / "fruits-val", choose, val, "val", 102, backgrounds=backgrounds)
    tests = pasted(out / "fruits-test", folder, test, "test", 103, part="test", backgrounds=backgrounds)
    return Set("fruits", index, None, scenes, None, Part.of(vals, "val"), Part.of(tests, "test"), tuple(backgrounds), (2, 6))


def _frame(name: str) -> int:
    """<Class>_r<axis>_<frame>.jpg"""
    return int(Path(name).stem.rsplit("_", 1)[-1])


def real_exemplars(folder: Path, out: Path, n: int, val: int, test: int) -> Set:
    """The real exemplars of RPC that there are, on its real empty counters."""
    crops, backgrounds = crops_of(folder, out / "exemplars-crops"), (folder / "background",)
    plan: tuple[tuple[Split, int, int], ...] = (("train", n, 101), ("val", val, 102), ("test", test, 103))
    made = {split: pasted(out / f"exemplars-{split}", crops, count, split, seed, backgrounds=backgrounds) for split, count, seed in plan}
    parts = [Part.of(made[split], split) for split in ("val", "test")]
    return Set("exemplars", crops, None, made["train"], None, parts[0], parts[1], backgrounds)


def shop(folder: Path, out: Path, n: int) -> Set:
    """The synthetic shop in RPC's layout."""
    products = np.unique(_exemplars(folder).product_keys().astype(str))
    later = frozenset(np.random.default_rng(0).permutation(products)[: min(NOVEL, len(products) // 4)].tolist())
    base = kept(folder, out / "shop-base", lambda _, product: product not in later)
    novel = kept(folder, out / "shop-novel", lambda _, product: product in later)
    scenes = {name: pasted(out / f"shop-{name}-scenes", data, n, "train", 101) for name, data in (("all", folder), ("base", base))}
    return Set("shop", base, novel, scenes["all"], scenes["base"], Part.of(folder, "val"), Part.of(folder, "test"))


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


def kept(folder: Path, out: Path, wanted: Callable[[str, str], bool]) -> Path:
    """Some exemplars of a folder in RPC's layout, by file name and product: a file beside links to its images."""
    content = json.loads((folder / "instances_train2019.json").read_text(encoding="utf-8"))
    names = {image["id"]: image["file_name"] for image in content["images"]}
    kept_boxes = [one for one in content["annotations"] if wanted(names[one["image_id"]], str(one["category_id"]))]
    there, products = {one["image_id"] for one in kept_boxes}, {one["category_id"] for one in kept_boxes}
    images = [image for image in content["images"] if image["id"] in there]
    (out / "train2019").mkdir(parents=True, exist_ok=True)
    for image in images:
        link = out / "train2019" / image["file_name"]
        if not link.is_symlink():
            link.symlink_to((folder / "train2019" / image["file_name"]).resolve())
    categories = [one for one in content["categories"] if one["id"] in products]
    table = [one for one in content["__raw_Chinese_name_df"] if one["category_id"] in products]
    document = {**content, "categories": categories, "__raw_Chinese_name_df": table, "images": images, "annotations": kept_boxes}
    with replacing(out / "instances_train2019.json") as temporary:
        temporary.write_text(json.dumps(document), encoding="utf-8")
    return out
