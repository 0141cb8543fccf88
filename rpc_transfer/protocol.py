"""The split: which products are novel, which images are shots, which are tests; and its file, which another tool can read.

    {"format": "rpc_transfer split", "version": 1, "about": how to read it, "data": name of the set,
     "split_seed": 0, "shots": 10, "base_shots": null (as many), a number or "all", "shots_from": "train", "test_on": "test",
     "base": [product, …], "novel": [product, …], "unknown": [product, …], "increments": [[product, …], …],
     "products": {product: {"name": …, "supercategory": …}}, "notes": [text, …],
     "support": [{"seed": 0, "images": {product: [image, …]}}, …],
     "tests": [{"seeds": [0, 1], "images": {product: [image, …]}}, …],
     "validation": [{"seed": 0, "images": {product: [image, …]}}, …]}

An image is its path relative to the set's folder, with the source's name and a colon before it in a union of sets. Where an
image holds several products the box is added as a W3C media fragment: `path#xywh=x,y,w,h` in pixels.

`SplitFile` is the file as it stands, images by name; `Split` is the same with its images found in a catalog.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from repr.arrays import Rows
from repr.catalog.table import Catalog
from repr.errors import UserError
from repr.files import content_key, read_json, write_json
from repr.records import from_json, to_json

FORMAT = "rpc_transfer split"
VERSION = 1
FILE = "split.json"  # in a run folder
ABOUT = (
    "base: products taught first; novel: products taken in later, in the steps of increments; unknown: never taught. "
    "support: the training images (shots) of each seed in the order drawn; tests: the test images of these seeds; "
    "validation: neither, they choose the rejection threshold. "
    "An image is a path relative to the set's folder; #xywh=x,y,w,h is a box in pixels."
)

Images = Mapping[str, Rows]  # product key -> positions in the catalog
Names = Mapping[str, tuple[str, ...]]  # product key -> its images by name
BaseShots = int | Literal["all"] | None


@dataclass(frozen=True)
class Split:
    """One experiment's products and images. Product keys are the catalog's; rows are positions in the catalog.

    data: the catalog's name; split_seed: the seed that chose `novel` and `unknown`.
    base, novel, unknown: product keys, `novel` in the order the products are taken in; `unknown` are never taught.
    increments: `novel` cut into the steps in which it is taken in.
    supercategories, names: supercategory ("" for none) and display name of each product.
    shots, base_shots: images a novel and a base product; base_shots is None for as many as `shots`, "all" for every one.
    support: run seed -> product -> its shots in the order drawn, so that the first k are the shots of a smaller experiment.
    tests: run seed -> product -> its test images; the same object for every seed unless the tests are the validation.
    validation: run seed -> product -> images that choose the rejection threshold (`draw.with_validation`); empty where nobody asked.
    notes: what a reader should know.
    """

    data: str
    split_seed: int
    base: tuple[str, ...]
    novel: tuple[str, ...]
    unknown: tuple[str, ...]
    increments: tuple[tuple[str, ...], ...]
    supercategories: Mapping[str, str]
    names: Mapping[str, str]
    shots: int
    base_shots: BaseShots
    shots_from: str
    test_on: str
    support: Mapping[int, Images]
    tests: Mapping[int, Images]
    validation: Mapping[int, Images] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def products(self) -> tuple[str, ...]:
        """The taught products; the position of a product is its class number: base first, then novel in order."""
        return self.base + self.novel

    @property
    def seeds(self) -> tuple[int, ...]:
        """The run seeds whose shots are in the split."""
        return tuple(self.support)

    def with_increments(self, sizes: Sequence[int]) -> Split:
        """The same split with `novel` cut into steps of other sizes."""
        return replace(self, increments=cut(self.novel, sizes))

    def of_seeds(self, seeds: Sequence[int]) -> Split:
        """The same split with these of its seeds alone."""
        support, tests, validation = (
            {s: by_seed[s] for s in seeds if s in by_seed} for by_seed in (self.support, self.tests, self.validation)
        )
        return replace(self, support=support, tests=tests, validation=validation)

    def sizes(self, shots: int) -> list[int]:
        """Training images of the base step and of each increment with so many shots a novel product, of the first seed."""
        support = self.support[self.seeds[0]]
        base = sum(len(support[key][: shots if self.base_shots is None else None]) for key in self.base)
        return [base, *(sum(len(support[key][:shots]) for key in step) for step in self.increments)]

    def used(self) -> Rows:
        """Every row that is a shot or a test of some seed, ascending."""
        sides = (*self.support.values(), *self.tests.values())
        return np.unique(np.concatenate([rows for images in sides for rows in images.values()]))


def cut(products: Sequence[str], sizes: Sequence[int]) -> tuple[tuple[str, ...], ...]:
    """The products in steps of these sizes, which add up to their number."""
    assert sum(sizes) == len(products)
    ends = np.cumsum(sizes)
    return tuple(tuple(products[end - size : end]) for size, end in zip(sizes, ends, strict=True))


@dataclass(frozen=True)
class Product:
    """Display name and supercategory ("" for none) of a product."""

    name: str
    supercategory: str


@dataclass(frozen=True)
class SeedImages:
    """The images of one seed, by product."""

    seed: int
    images: Names


@dataclass(frozen=True)
class SharedImages:
    """The images that several seeds share, by product."""

    seeds: tuple[int, ...]
    images: Names


@dataclass(frozen=True)
class SplitFile:
    """The file's content; the module's text says what the fields hold."""

    format: str
    version: int
    about: str
    data: str
    split_seed: int
    shots: int
    base_shots: BaseShots
    shots_from: str
    test_on: str
    base: tuple[str, ...]
    novel: tuple[str, ...]
    unknown: tuple[str, ...]
    increments: tuple[tuple[str, ...], ...]
    products: Mapping[str, Product]
    notes: tuple[str, ...]
    support: tuple[SeedImages, ...]
    tests: tuple[SharedImages, ...]
    validation: tuple[SeedImages, ...] = ()

    @classmethod
    def of(cls, split: Split, catalog: Catalog) -> SplitFile:
        """The file of a split of the catalog."""
        ids = image_ids(catalog)

        def _names(images: Images) -> Names:
            return {product: tuple(ids[row] for row in rows) for product, rows in images.items()}

        groups: list[tuple[list[int], Images]] = []  # seeds that share their tests
        for seed, images in split.tests.items():
            same = next((seeds for seeds, other in groups if other is images), None)
            if same is None:
                groups.append(([seed], images))
            else:
                same.append(seed)
        return cls(
            FORMAT,
            VERSION,
            ABOUT,
            split.data,
            split.split_seed,
            split.shots,
            split.base_shots,
            split.shots_from,
            split.test_on,
            split.base,
            split.novel,
            split.unknown,
            split.increments,
            {key: Product(split.names[key], split.supercategories[key]) for key in (*split.products, *split.unknown)},
            split.notes,
            tuple(SeedImages(seed, _names(images)) for seed, images in split.support.items()),
            tuple(SharedImages(tuple(seeds), _names(images)) for seeds, images in groups),
            tuple(SeedImages(seed, _names(images)) for seed, images in split.validation.items()),
        )

    @classmethod
    def read(cls, path: Path) -> SplitFile:
        """Read a split file. Raises UserError when it is none, of a newer version, or has a missing or wrong field."""
        content = read_json(Path(path))
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise UserError("not a split file", path, "Give the split.json of a run folder")
        if isinstance(content.get("version"), int) and content["version"] > VERSION:
            raise UserError(f"written by a newer version ({content['version']} > {VERSION})", path, "Update the package")
        return from_json(cls, content, path)

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        write_json(Path(path), to_json(self))

    def test_images(self, seed: int) -> list[str]:
        """The test images of a seed by name, in the order that trials count in: base, novel, unknown products, each in the file's order."""
        images = next(entry.images for entry in self.tests if seed in entry.seeds)
        return [name for product in (*self.base, *self.novel, *self.unknown) for name in images[product]]

    def key(self, seed: int, shots: int) -> str:
        """The content key of what is taught and tested with a seed and the first `shots` of its shots, wherever the images lie."""
        support = next(entry.images for entry in self.support if entry.seed == seed)
        own = shots if self.base_shots is None else None
        taught = {product: names[: own if product in self.base else shots] for product, names in support.items()}
        tests = next(entry.images for entry in self.tests if seed in entry.seeds)
        return content_key([self.data, self.base, self.novel, self.increments], taught, tests)


def image_ids(catalog: Catalog) -> list[str]:
    """The name of every row in the split file (see the module's text)."""
    paths: list[str] = catalog.column("path").tolist()
    if len(catalog.sources) > 1:
        names = [source.name for source in catalog.sources]
        paths = [f"{names[s]}:{path}" for s, path in zip(catalog.column("source"), paths, strict=True)]
    before: set[str] = set()
    double = {path for path in paths if path in before or before.add(path)}  # type: ignore[func-returns-value]
    if not double:
        return paths
    boxes = catalog.boxes()
    return [
        f"{path}#xywh={','.join(f'{v:g}' for v in box)}" if path in double and box is not None else path
        for path, box in zip(paths, boxes, strict=True)
    ]


def read_split(path: Path, catalog: Catalog) -> Split:
    """Read a split file and find its images in the catalog.

    Raises UserError when it is not a split file or of a newer version, when its products or images are not in the
    catalog (a split of another set), when image files are gone, when a shot is also a test, or when there is nothing to
    teach or to test on.
    """
    file = SplitFile.read(path)
    _check_products(file, path, catalog)
    find = _Finder(catalog, path)
    taught, products = (*file.base, *file.novel), (*file.base, *file.novel, *file.unknown)
    support = {entry.seed: find.rows(entry.images, taught) for entry in file.support}
    tests: dict[int, Images] = {}
    for entry in file.tests:
        tests.update(dict.fromkeys(entry.seeds, find.rows(entry.images, products)))
    validation = {entry.seed: find.rows(entry.images, taught) for entry in file.validation}
    find.complain(file.data)
    if set(tests) != set(support):
        raise UserError("support and tests are not of the same seeds", path, "Mend the file")
    split = Split(
        data=file.data,
        split_seed=file.split_seed,
        base=file.base,
        novel=file.novel,
        unknown=file.unknown,
        increments=file.increments,
        supercategories={key: file.products[key].supercategory for key in products},
        names={key: file.products[key].name for key in products},
        shots=file.shots,
        base_shots=file.base_shots,
        shots_from=file.shots_from,
        test_on=file.test_on,
        support=support,
        tests={seed: tests[seed] for seed in support},
        validation=validation,
        notes=file.notes,
    )
    photograph = catalog.photographs()
    for seed in split.seeds:
        _check_seed(split, seed, path, catalog, photograph)
    held_out = [rows for images in split.validation.values() for rows in images.values()]
    files = catalog.select(np.unique(np.concatenate([split.used(), *held_out]))).files()
    missing = [image for image in dict.fromkeys(files) if not image.is_file()]
    if missing:
        raise UserError(f"{len(missing)} of its images are gone from the disk, the first is {missing[0]}", path, "Bring them back")
    return split


def _check_products(file: SplitFile, path: Path, catalog: Catalog) -> None:
    """Raise UserError for products that make no split, or none of this catalog."""
    products = (*file.base, *file.novel, *file.unknown)
    if len(set(products)) != len(products):
        raise UserError("a product is named twice among base, novel and unknown", path, "Mend the file")
    if not (file.base and file.novel and all(file.increments)):
        empty = "base" if not file.base else "novel" if not file.novel else "one of its increments"
        raise UserError(f"there is no product in {empty}", path, "Mend the file")
    if undescribed := [key for key in products if key not in file.products]:
        raise UserError(f"nothing is said in products of {', '.join(undescribed[:8])}", path, "Mend the file")
    keys = set(map(str, catalog.product_keys()))
    strange = [key for key in products if key not in keys]
    if strange:
        raise UserError(
            f"a split of another set ({file.data}): {len(strange)} of its {len(products)} products are not in "
            f"{catalog.name}, the first is {strange[0]}",
            path,
            "Name the set it was made on with `data`, or draw a new split",
        )
    if tuple(key for step in file.increments for key in step) != file.novel:
        raise UserError("increments are not the novel products in their order", path, "Mend the file")


class _Finder:
    """Finds the rows of images by product and name, and collects what is not there."""

    def __init__(self, catalog: Catalog, path: Path) -> None:
        keys = catalog.product_keys()
        self.path = path
        self.where = {(str(key), name): row for row, (key, name) in enumerate(zip(keys, image_ids(catalog), strict=True))}
        self.missing: list[str] = []
        self.total = 0

    def rows(self, images: Names, products: Sequence[str]) -> dict[str, Rows]:
        """The catalog rows of the products' images; -1 for one that is not there."""
        of_product: dict[str, Rows] = {}
        for product in products:
            if product not in images:
                raise UserError(f"no list of images is there for product {product}", self.path, "Mend the file; a list may be empty")
            names = images[product]
            rows = [self.where.get((product, name), -1) for name in names]
            self.missing += [name for name, row in zip(names, rows, strict=True) if row < 0]
            self.total += len(names)
            of_product[product] = np.array(rows, dtype=np.int64)
        return of_product

    def complain(self, data: str) -> None:
        """Raise UserError when some were not there."""
        if self.missing:
            raise UserError(
                f"{len(self.missing)} of its {self.total} images are not in the set, the first is {self.missing[0]} "
                f"(the split was made on {data})",
                self.path,
                "Name the set it was made on with `data`, bring the images back, or draw a new split",
            )


def _check_seed(split: Split, seed: int, path: Path, catalog: Catalog, photograph: Rows) -> None:
    """Raise UserError for images of one seed that are both shots and tests, are too few, or are none. photograph: of every row."""
    shots = np.concatenate(list(split.support[seed].values()))
    tests = np.concatenate(list(split.tests[seed].values()))
    both = tests[np.isin(photograph[tests], photograph[shots])]
    if len(both):
        name = catalog.column("path")[both[0]]
        raise UserError(f"{len(both)} images of seed {seed} are shots and tests, the first is {name}", path, "Mend the file")
    validation = np.concatenate([np.empty(0, np.int64), *split.validation.get(seed, {}).values()])
    if np.isin(photograph[validation], photograph[np.concatenate([shots, tests])]).any():
        raise UserError(f"validation images of seed {seed} are of photographs of its shots or tests", path, "Mend the file")
    least = split.shots if split.base_shots is None else 1 if split.base_shots == "all" else split.base_shots
    least_of = {**dict.fromkeys(split.base, least), **dict.fromkeys(split.novel, split.shots)}
    short = [key for key, n in least_of.items() if len(split.support[seed][key]) < n]
    if short:
        raise UserError(f"seed {seed} has fewer shots than the file says for: {', '.join(short[:8])}", path, "Mend the file")
    for kind, members in (("base", split.base), ("novel", split.novel)):
        if not any(len(split.tests[seed][key]) for key in members):
            raise UserError(f"seed {seed} has no test images of {kind} products", path, "Mend the file")
