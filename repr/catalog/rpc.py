"""RPC's layout: instances_{train,val,test}2019.json in COCO's manner beside the folders train2019, val2019, test2019.

Format: Wei et al., RPC: A Large-Scale Retail Product Checkout Dataset (arXiv 1901.07249), as its public readers take it.
Any set in that layout is read: splits may be absent, `level` and the table of product names are optional.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from repr.catalog.jsonfile import MEND, Pixels, read_object
from repr.catalog.table import LEAVES, Catalog, ClassName, Source, build
from repr.errors import UserError

INSTANCES = re.compile(r"instances_(train|val|test)2019\.json")
SPLITS = ("train", "val", "test")
SPILL = 2.0  # pixels a box may reach over the edge of its image, for rounding; it is clipped


class Category(msgspec.Struct):
    """One product class; `supercategory` is its supercategory."""

    id: int
    name: str
    supercategory: str = ""


class Image(msgspec.Struct):
    """One image; checkout scenes have a `level`."""

    id: int | str
    file_name: str
    width: Pixels
    height: Pixels
    level: str | None = None


class Annotation(msgspec.Struct, gc=False):
    """One box (x, y, w, h in pixels) of one product in one image."""

    image_id: int | str
    category_id: int
    bbox: list[float]


class ProductName(msgspec.Struct):
    """A row of __raw_Chinese_name_df: display name and barcode of a category."""

    category_id: int
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
        for name, value in values.items():
            self.setdefault(name, []).append(value)


def instances_in(root: Path) -> dict[str, Path]:
    """The instance files of a folder by split, in the order train, val, test; empty when it is not in RPC's layout."""
    found = {match.group(1): file for file in root.glob("instances_*2019.json") if (match := INSTANCES.fullmatch(file.name))}
    return {split: found[split] for split in SPLITS if split in found}


def read(path: Path) -> Catalog:
    """A folder in RPC's layout as a catalog: one row a box; the box is null where it covers the whole image.

    Class level 1 is the supercategory, level 2 the category; `product` is the category id. Raises UserError for a file that
    is broken or lacks a field, a category id outside the table, a box outside its image, a path that leaves the folder.
    """
    files = instances_in(path)
    if not files:
        raise UserError("no instances_train2019.json (or val, test) in it", path, "Give a folder in RPC's layout")
    categories: dict[int, Category] = {}
    products: dict[int, ProductName] = {}
    columns, supercategories, notes = Columns(), dict[str, int](), list[str]()
    for split, file in files.items():
        content = read_object(file, Instances)
        _merge(categories, content.categories, file)
        products.update({row.category_id: row for row in content.products})
        for name in (category.supercategory for category in categories.values()):
            if name:
                supercategories.setdefault(name, len(supercategories))
        _rows(columns, split, file, content, categories)
        bare = len(content.images) - len({a.image_id for a in content.annotations})
        if bare:
            notes.append(f"{bare} images of {split}2019 have no box and are left out")
    if not columns:
        raise UserError("no annotations in any of its files", path, "Check that the files are whole")
    code_of = {id_: code for code, id_ in enumerate(categories)}
    ids = [int(str(key)) for key in columns["product"]]
    columns["class_1"] = [supercategories.get(categories[id_].supercategory, -1) for id_ in ids]
    columns["class_2"] = [code_of[id_] for id_ in ids]
    columns["name"] = [_display(products.get(id_), categories[id_]) for id_ in ids]
    columns["barcode"] = [_barcode(products.get(id_)) for id_ in ids]
    second = tuple(ClassName(str(c.id), c.name, supercategories.get(c.supercategory, -1)) for c in categories.values())
    source = Source(path.resolve().name, "rpc", path.resolve(), synthetic=(path / "synthetic.json").is_file())
    first = tuple(ClassName(name, name) for name in supercategories)
    return build(dict(columns), classes=(first, second, ()), sources=(source,), default_level=2, notes=tuple(notes))


def _merge(known: dict[int, Category], more: list[Category], file: Path) -> None:
    """Take a file's category table in. The tables of all files of a set are the same; ids are compared, then names exactly."""
    seen = set()
    for n, category in enumerate(more, 1):
        where = f"{file}, record {n} of categories"
        if category.id in seen:
            raise UserError(f"category id {category.id} stands twice in the table", where, MEND)
        seen.add(category.id)
        if known.setdefault(category.id, category) != category:
            raise UserError(
                f"category {category.id} is {category.name!r} here and {known[category.id].name!r} in another split",
                where,
                "Give files of one data set",
            )


def _rows(columns: Columns, split: str, file: Path, content: Instances, categories: dict[int, Category]) -> None:
    images: dict[int | str, Image] = {}
    for n, image in enumerate(content.images, 1):
        where = f"{file}, record {n} of images"
        if image.id in images:
            raise UserError(f"image id {image.id} stands twice", where, MEND)
        if LEAVES.search(image.file_name):
            raise UserError(f"the image path {image.file_name!r} leaves the folder", where, MEND)
        images[image.id] = image
    for n, annotation in enumerate(content.annotations, 1):
        if annotation.category_id not in categories:
            where = f"{file}, record {n} of annotations"
            raise UserError(f"category id {annotation.category_id} is not in the table of {len(categories)} categories", where, MEND)
        scene = images.get(annotation.image_id)
        if scene is None:
            where = f"{file}, record {n} of annotations"
            raise UserError(f"image id {annotation.image_id} is not in the list of images", where, MEND)
        columns.add(
            path=f"{split}2019/{scene.file_name}",
            product=str(annotation.category_id),
            split=split,
            box=_box(annotation, scene, file, n),
            width=scene.width,
            height=scene.height,
            scene=scene.level,
        )


def _box(annotation: Annotation, image: Image, file: Path, n: int) -> tuple[float, float, float, float] | None:
    """The box clipped to the image; None when it covers the whole image (to within a pixel a side)."""
    where = f"{file}, record {n} of annotations"
    if len(annotation.bbox) != 4:
        raise UserError(f"bbox has {len(annotation.bbox)} numbers, not x, y, w, h", where, MEND)
    x, y, w, h = annotation.bbox
    right, bottom = x + w, y + h
    if not (w > 0 and h > 0 and min(x, y) >= -SPILL and right <= image.width + SPILL and bottom <= image.height + SPILL):
        raise UserError(f"the box {annotation.bbox} is not inside the image of {image.width}×{image.height}", where, MEND)
    if x <= 1 and y <= 1 and right >= image.width - 1 and bottom >= image.height - 1:
        return None
    x, y = max(x, 0.0), max(y, 0.0)
    return x, y, min(right, image.width) - x, min(bottom, image.height) - y


def _display(product: ProductName | None, category: Category) -> str:
    return product.name if product and product.name else category.name


def _barcode(product: ProductName | None) -> str | None:
    return str(product.code) if product and product.code not in (None, "") else None
