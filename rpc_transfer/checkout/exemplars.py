"""Exemplars of a catalog, by product, with the masks that the records have; and the table of categories that scenes are written with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from repr.catalog.jsonfile import Id, id_text, id_value, read_object
from repr.catalog.rpc import Image, instances_in
from repr.catalog.sources import open_sources
from repr.catalog.table import Catalog
from repr.errors import UserError
from repr.records import Json
from rpc_transfer.checkout.cutouts import Exemplar, Polygons


class Masked(msgspec.Struct):
    """The mask of one annotation: polygons, or [[]] as in RPC, or a run-length mask, which is not read."""

    image_id: Id
    category_id: Id
    segmentation: list[list[float]] | dict[str, object] | None = None


class MaskFile(msgspec.Struct):
    """What is read of an instances file for its masks."""

    images: list[Image]
    annotations: list[Masked]


@dataclass(frozen=True)
class Categories:
    """ids: category ids by product; rows: the tables `categories` and `__raw_Chinese_name_df`, in RPC's form."""

    ids: Mapping[str, int | str]
    rows: tuple[Mapping[str, Json], ...]
    names: tuple[Mapping[str, Json], ...]

    def as_json(self) -> dict[str, Json]:
        """As they stand in an instances file."""
        return {"categories": list(self.rows), "__raw_Chinese_name_df": list(self.names)}


def read_exemplars(data: Sequence[str | Path], part: str) -> Catalog:
    """The images of a part of the data; where a source is not divided, all of it is the train part. Raises UserError for none."""
    catalog = open_sources(data, default="rpc").in_split(part, *([""] if part == "train" else []))
    if not len(catalog):
        raise UserError(f"no exemplars in the part {part}", "", "Choose another with `part`")
    return catalog


def categories_of(catalog: Catalog) -> Categories:
    """A category for every product of a catalog, by its own id, so that an index of the scenes knows it as others do: a number where it is
    written as one, as RPC's are, else text."""
    keys = catalog.product_keys().astype(str)
    products, first = np.unique(keys, return_index=True)
    own = [id_value(str(product)) for product in products]
    order = sorted(range(len(products)), key=lambda n: (isinstance(own[n], str), own[n]))
    columns = {name: catalog.table.column(name).to_pylist() for name in ("class_1", "class_2", "name", "barcode")}
    ids, rows, names = dict[str, int | str](), [], []
    for n in order:
        product, row, id_ = str(products[n]), int(first[n]), own[n]
        upper, lower = columns["class_1"][row], columns["class_2"][row]
        above = catalog.classes[0][upper].name if upper is not None and upper >= 0 else ""
        named = catalog.classes[1][lower] if lower is not None and lower >= 0 else None
        name = named.name if named is not None and named.id == product else product
        ids[product] = id_
        rows.append({"supercategory": above, "id": id_, "name": name})
        shown = columns["name"][row] or name
        names.append({"sku_name": name, "category_id": id_, "sku_class": above, "code": columns["barcode"][row] or "", "name": shown})
    return Categories(ids, tuple(rows), tuple(names))


def exemplars_of(catalog: Catalog, most: int, rng: np.random.Generator) -> dict[str, list[Exemplar]]:
    """Up to `most` exemplars of every product, drawn evenly, in the order of product ids."""
    keys = catalog.product_keys().astype(str)
    paths, boxes, masks = catalog.files(), catalog.boxes(), _masks(catalog)
    chosen = {}
    for product in np.unique(keys).tolist():
        rows = np.flatnonzero(keys == product)
        rows = np.sort(rng.choice(rows, most, replace=False)) if len(rows) > most else rows
        chosen[product] = [Exemplar(paths[row], boxes[row], masks.get((paths[row], product), ())) for row in rows]
    return chosen


def _masks(catalog: Catalog) -> dict[tuple[Path, str], Polygons]:
    """The polygons of the instance files of the catalog's sources, by image file and category; none where they are empty, as RPC's."""
    masks: dict[tuple[Path, str], Polygons] = {}
    for source in catalog.sources:
        for split, file in (instances_in(source.root) if source.kind == "rpc" else {}).items():
            content = read_object(file, MaskFile)
            names = {id_text(image.id): source.root / f"{split}2019" / image.file_name for image in content.images}
            for one in content.annotations:
                if isinstance(one.segmentation, list) and (polygons := [p for p in one.segmentation if len(p) >= 6]):
                    masks[names[id_text(one.image_id)], id_text(one.category_id)] = polygons
    return masks
