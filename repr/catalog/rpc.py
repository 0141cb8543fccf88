"""RPC's layout: instances_{train,val,test}2019.json in COCO's manner beside the folders train2019, val2019, test2019.

Format: Wei et al., RPC: A Large-Scale Retail Product Checkout Dataset (arXiv 1901.07249), as its public readers take it.
Any set in that layout is read: splits may be absent, `level` and the table of product names are optional.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from repr.catalog.jsonfile import MEND, Id, Pixels, id_text, read_object
from repr.catalog.names import as_name, as_text, normal
from repr.catalog.passed import SYSTEM, Tally
from repr.catalog.spelling import Spelling, settled
from repr.catalog.table import Catalog, ClassName, Source, build
from repr.catalog.tree import is_system
from repr.errors import UserError

INSTANCES = re.compile(r"instances_(train|val|test)2019\.json")
SPLITS = ("train", "val", "test")
SPILL = 2.0  # pixels a box may reach over the edge of its image, for rounding, without a word

Box = tuple[float, float, float, float]


class Category(msgspec.Struct):
    """One product class; `supercategory` is its supercategory."""

    id: Id
    name: str
    supercategory: str | None = None


class Image(msgspec.Struct):
    """One image; checkout scenes have a `level`."""

    id: Id
    file_name: str
    width: Pixels | None
    height: Pixels | None
    level: str | None = None


class Annotation(msgspec.Struct, gc=False):
    """One box (x, y, w, h in pixels) of one product in one image; of many at once when it is a crowd."""

    image_id: Id
    category_id: Id
    bbox: list[float]
    iscrowd: int | bool | float | None = 0


class ProductName(msgspec.Struct):
    """A row of __raw_Chinese_name_df: display name and barcode of a category."""

    category_id: Id
    name: str | None = None
    code: int | str | None = None


class Instances(msgspec.Struct):
    """What is read of one instances_*2019.json."""

    categories: list[Category]
    images: list[Image]
    annotations: list[Annotation]
    products: list[ProductName] = msgspec.field(name="__raw_Chinese_name_df", default_factory=list)


class Columns(dict[str, list[object]]):
    """Columns of the table while they grow row by row."""

    def add(self, **values: object) -> None:
        """Add a row: its value in every column."""
        for name, value in values.items():
            self.setdefault(name, []).append(value)


def instances_in(root: Path) -> dict[str, Path]:
    """The instance files of a folder by split, in the order train, val, test; empty when it is not in RPC's layout."""
    by_split = {match.group(1): file for file in root.glob("instances_*2019.json") if (match := INSTANCES.fullmatch(file.name))}
    return {split: by_split[split] for split in SPLITS if split in by_split}


def read(path: Path) -> Catalog:
    """A folder in RPC's layout as a catalog: one row a box; the box is null where it covers the whole image.

    Class level 1 is the supercategory, level 2 the category; `product` is the category id. Boxes of crowds, without an area, outside
    their image, or there already are passed over, and so are images without a box or without a record. Raises UserError for a file that
    is broken or lacks a field, a category id outside the table, a path that leaves the folder.
    """
    files = instances_in(path)
    if not files:
        raise UserError("no instances_train2019.json (or val, test) in it", path, "Give a folder in RPC's layout")
    categories: dict[str, Category] = {}
    products: dict[str, ProductName] = {}
    columns, supercategories, notes, passed = Columns(), dict[str, int](), list[str](), Tally()
    for split, file in files.items():
        content = read_object(file, Instances)
        _merge(categories, content.categories, file)
        products.update({id_text(row.category_id): row for row in content.products})
        for name in (category.supercategory for category in categories.values()):
            if name:
                supercategories.setdefault(normal(name), len(supercategories))
        notes += _Part(path, split, file, content, categories, passed).rows(columns)
    if not columns:
        lying = "; ".join(one.line() for one in passed.list())
        raise UserError(f"no annotations in any of its files{f' ({lying})' if lying else ''}", path, "Check that the files are whole")
    code_of = {id_: code for code, id_ in enumerate(categories)}
    above = {id_: supercategories.get(normal(c.supercategory or ""), -1) for id_, c in categories.items()}
    ids = [str(key) for key in columns["product"]]
    columns["class_1"] = [above[id_] for id_ in ids]
    columns["class_2"] = [code_of[id_] for id_ in ids]
    columns["name"] = [_display(products.get(id_), categories[id_]) for id_ in ids]
    columns["barcode"] = [_barcode(products.get(id_)) for id_ in ids]
    second = tuple(ClassName(id_, normal(c.name), above[id_]) for id_, c in categories.items())
    root = path.resolve()
    source = Source(as_text(root.name), "rpc", root, synthetic=(path / "synthetic.json").is_file())
    first = tuple(ClassName(name, name) for name in supercategories)
    described = {"classes": (first, second, ()), "sources": (source,), "default_level": 2}
    return build(dict(columns), **described, notes=tuple(notes), passed_over=passed.list())


def _merge(known: dict[str, Category], more: list[Category], file: Path) -> None:
    """Take a file's category table in. The tables of all files of a set are the same; ids are compared, then names exactly."""
    seen = set()
    for n, category in enumerate(more, 1):
        where, id_ = f"{file}, record {n} of categories", id_text(category.id)
        if id_ in seen:
            raise UserError(f"category id {id_} stands twice in the table", where, MEND)
        seen.add(id_)
        first = known.setdefault(id_, category)
        if (first.name, first.supercategory) != (category.name, category.supercategory):
            raise UserError(
                f"category {id_} is {category.name!r} here and {first.name!r} in another split", where, "Give files of one data set"
            )


class _Part:
    """One split: its records against each other and against the folder of its images."""

    def __init__(self, root: Path, split: str, file: Path, content: Instances, categories: dict[str, Category], passed: Tally) -> None:
        self.folder, self.split, self.file, self.content = f"{split}2019", split, file, content
        self.categories, self.passed = categories, passed
        self.files = Spelling(root / self.folder)
        self.cut = 0  # boxes cut at the edge of their image

    def rows(self, columns: Columns) -> list[str]:
        """Add a row for every box that counts. Returns notes."""
        images = self._images()
        paths = {id_: settled(self.files, image.file_name, f"{self.file}, record {n} of images") for id_, (n, image) in images.items()}
        seen: set[tuple[str, str, Box | None]] = set()
        products: dict[tuple[str, Box | None], str] = {}
        boxed, torn = set[str](), 0
        for n, annotation in enumerate(self.content.annotations, 1):
            where = f"{self.file}, record {n} of annotations"
            id_, product = id_text(annotation.image_id), id_text(annotation.category_id)
            if product not in self.categories:
                raise UserError(f"category id {product} is not in the table of {len(self.categories)} categories", where, MEND)
            if id_ not in images:
                raise UserError(f"image id {id_} is not in the list of images", where, MEND)
            boxed.add(id_)
            image, path = images[id_][1], f"{self.folder}/{paths[id_]}"
            reason, box = self._box(annotation, image, where)
            if not reason and (key := (path, product, box)) in seen:
                reason = "boxes that are there already"
            if reason:
                self.passed.add(reason, f"{path}, annotation {n}")
                continue
            seen.add(key)
            torn += products.setdefault((path, box), product) != product
            size = {"width": _pixels(image.width), "height": _pixels(image.height)}
            columns.add(path=path, product=product, split=self.split, box=box, scene=image.level, **size)
        for id_ in images:
            if id_ not in boxed:
                self.passed.add("images without a box", f"{self.folder}/{paths[id_]}")
        for name in self._unnamed(set(paths.values())):
            self.passed.add(SYSTEM if is_system(name) else "files that no annotation names", f"{self.folder}/{name}")
        self.files.count_closed(self.passed, f"{self.folder}/")
        notes = [f"{self.folder}: {note}" for note in self.files.notes()]
        notes += [f"{self.cut} boxes of {self.folder} reach over the edge of their image and are cut there"] if self.cut else []
        return notes + ([f"{torn} boxes of {self.folder} stand under several products"] if torn else [])

    def _images(self) -> dict[str, tuple[int, Image]]:
        """Image id → number of its record, and the record."""
        images: dict[str, tuple[int, Image]] = {}
        for n, image in enumerate(self.content.images, 1):
            if (id_ := id_text(image.id)) in images:
                raise UserError(f"image id {id_} stands twice", f"{self.file}, record {n} of images", MEND)
            images[id_] = n, image
        return images

    def _unnamed(self, named: set[str]) -> Iterator[str]:
        """The files right in the folder of the images that no record names."""
        return (name for name in sorted(self.files.names("") or ()) if name not in named and (self.files.root / as_name(name)).is_file())

    def _box(self, annotation: Annotation, image: Image, where: str) -> tuple[str, Box | None]:
        """Why the box does not count, or "", and the box clipped to the image; None when it covers all of it (to within a pixel a side)."""
        if len(annotation.bbox) != 4:
            raise UserError(f"bbox has {len(annotation.bbox)} numbers, not x, y, w, h", where, MEND)
        x, y, w, h = annotation.bbox
        width, height = (math.inf if side is None else side for side in (image.width, image.height))
        right, bottom = x + w, y + h
        if annotation.iscrowd:
            return "boxes of crowds (iscrowd), which are not of one product", None
        if not (w > 0 and h > 0):
            return "boxes without an area", None
        if not (right > 0 and bottom > 0 and x < width and y < height):
            return "boxes outside their image", None
        self.cut += not (min(x, y) >= -SPILL and right <= width + SPILL and bottom <= height + SPILL)
        if x <= 1 and y <= 1 and right >= width - 1 and bottom >= height - 1:
            return "", None
        x, y = max(x, 0.0), max(y, 0.0)
        return "", (x, y, min(right, width) - x, min(bottom, height) - y)


def _pixels(side: float | None) -> int | None:
    return None if side is None else round(side)


def _display(product: ProductName | None, category: Category) -> str:
    return product.name if product and product.name else category.name


def _barcode(product: ProductName | None) -> str | None:
    return str(product.code) if product and product.code not in (None, "") else None
