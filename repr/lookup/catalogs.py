"""From data to what an index takes in: which images, by which ids of products, under which paths."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from repr.catalog.once import once
from repr.catalog.passed import CLOSED
from repr.catalog.table import Catalog
from repr.errors import UserError
from repr.images.boxes import Box, DrawnBox
from repr.images.contents import file_digests
from repr.images.reader import Unreadable, upright_box
from repr.lookup.plan import Incoming, relative_to_root
from repr.lookup.products import checked_id
from repr.lookup.store import Product


def common_root(catalog: Catalog) -> Path:
    """The folder that a new index's image paths start from: the source's root, or what several sources have in common."""
    return Path(os.path.commonpath([source.root.absolute() for source in catalog.sources]))


def stored_part(catalog: Catalog, parts: Sequence[str]) -> tuple[Catalog, str]:
    """The rows that an index takes, and a sentence about those left out ("" when none are).

    parts: "train", "val", "test"; without any, everything but the boxes of checkout scenes, which are queries, not stock.
    An image that several files hold is taken once for each of its products. Raises UserError when nothing is left.
    """
    if parts:
        chosen = catalog.in_split(*parts)
        if not len(chosen):
            present = sorted(set(catalog.column("split").astype(str)) - {""})
            remedy = f"Its parts are: {', '.join(present)}" if present else "It has no parts; leave `part` out"
            raise UserError(f"no images in part {', '.join(parts)}", catalog.name, remedy)
        return once(chosen), ""
    scenes = np.array([scene is not None for scene in catalog.column("scene")])
    if not len(catalog) or scenes.all():
        raise UserError("no product images, only checkout scenes" if len(catalog) else "no images", catalog.name, "Choose a `part`")
    left_out = f"{scenes.sum():,} boxes of checkout scenes are left out; take them in with `part`." if scenes.any() else ""
    return once(catalog.select(~scenes) if scenes.any() else catalog), left_out


def check_opened(catalog: Catalog) -> None:
    """Raise UserError when folders among the data could not be opened: what is stored of them would be taken for gone."""
    closed = [one for one in catalog.passed_over if one.reason.startswith(CLOSED)]
    if closed:
        count, first = sum(one.count for one in closed), closed[0].examples[0]
        raise UserError(
            f"{count} folders cannot be opened, such as {first}, and what is stored of them would go",
            catalog.name,
            "Make them readable, or take them away; `repr index add` takes what can be read, and removes nothing",
        )


def command_of(what: str, data: Sequence[str], parts: Sequence[str], subset: str | None) -> str:
    """The command that stores these images, without its index, wherever one stands: what an interruption leaves to be given again."""
    chosen = [("--data", from_anywhere(path)) for path in data] + [("--part", part) for part in parts]
    chosen += [("--subset", from_anywhere(subset))] if subset else []
    return " ".join([what, *(shlex.join(option) for option in chosen)])


def from_anywhere(path: str) -> str:
    """A path that holds wherever one stands; what is none is left as it is."""
    return str(Path(path).expanduser().absolute()) if Path(path).expanduser().exists() else path


def incoming_of(catalog: Catalog, root: Path, *, prefix: bool = False) -> tuple[list[Incoming], dict[str, Product]]:
    """The images of a catalog as an index takes them in, and what is known of their products, by id.

    root: what paths are relative to. prefix: put the source's name and a colon before the ids of products. Raises UserError when two
    sources call different products by one id, and as `checked_id`.
    """
    ids, files = own_ids(catalog, prefix=prefix), catalog.files()
    for id_, row in {id_: row for row, id_ in enumerate(ids)}.items():
        checked_id(id_, files[row])
    contents = file_digests(files)
    incoming = [
        Incoming(id_, relative_to_root(file, root), content, file, _on_file(file, box), box)
        for id_, file, content, box in zip(ids, files, contents, catalog.boxes(), strict=True)
    ]
    return incoming, _products(catalog, ids)


def _products(catalog: Catalog, ids: Sequence[str]) -> dict[str, Product]:
    names, barcodes = (catalog.table.column(name).to_pylist() for name in ("name", "barcode"))
    codes = [catalog.table.column(f"class_{level}").to_pylist() for level in (1, 2, 3)]
    products: dict[str, Product] = {}
    for row, id_ in enumerate(ids):
        if id_ not in products or not products[id_].name:
            products[id_] = Product(
                id_, names[row] or None, barcodes[row] or None, _category(catalog, [level[row] for level in codes], id_)
            )
    return products


def _category(catalog: Catalog, codes: Sequence[int], id_: str) -> tuple[str, ...]:
    """The names of a row's classes from the top down, without one that is the product itself."""
    entries = [level[code] for level, code in zip(catalog.classes, codes, strict=True) if code >= 0]
    return tuple(entry.name for entry in entries if id_ not in (entry.id, entry.name))


def _on_file(file: Path, box: Box | None) -> tuple[float, ...] | None:
    """The box on the upright image of the file, as the index keeps it; as it is where that cannot be told, which decoding then says."""
    if not isinstance(box, DrawnBox):
        return box
    try:
        upright = upright_box(file, box)
    except Unreadable:
        return box
    x, y, w, h = (float(np.float32(number)) for number in upright)
    return x, y, w, h


def own_ids(catalog: Catalog, *, prefix: bool = False) -> list[str]:
    """The id of every row's product as its own source has it, so that an index knows it whatever else is given; with `prefix`, behind
    the source's name and a colon.

    Raises UserError when two sources have one id for what need not be one product: they call it differently, or have neither its name,
    its barcode nor an image of it in common. So two sources may overlap.
    """
    ids = [str(id_) for id_ in catalog.column("product")]
    sources = catalog.column("source").tolist()
    if prefix:
        return [f"{catalog.sources[source].name}:{id_}" for source, id_ in zip(sources, ids, strict=True)]
    of: dict[str, dict[int, list[int]]] = {}
    for row, (id_, source) in enumerate(zip(ids, sources, strict=True)) if len(catalog.sources) > 1 else ():
        of.setdefault(id_, {}).setdefault(source, []).append(row)
    for id_, rows in of.items():
        if len(rows) > 1:
            _check_one_product(catalog, id_, rows)
    return ids


def _check_one_product(catalog: Catalog, id_: str, rows: dict[int, list[int]]) -> None:
    """Raise UserError unless the rows of an id, by their sources, are of one product."""
    (first, before), *others = rows.items()
    for source, more in others:
        (called, known), (name, new) = _called(catalog, before), _called(catalog, more)
        differ = called and name and called != name
        if differ or not (known & new or _images(catalog, before) & _images(catalog, more)):
            raise UserError(
                f"both have a product {id_}{f' ({called} and {name})' if differ else ''}",
                f"{catalog.sources[first].name} and {catalog.sources[source].name}",
                "Give the products other ids, or put the source's name before them with `prefix`; if they are one, add one source, "
                "then the other",
            )
        before = before + more


def _called(catalog: Catalog, rows: Sequence[int]) -> tuple[str, set[tuple[str, str]]]:
    """The first name among some rows, "" for none, and all names and barcodes, each with what it is."""
    texts = [(kind, text) for kind in ("name", "barcode") for text in catalog.table.column(kind).take(rows).to_pylist() if text]
    return next((text for kind, text in texts if kind == "name"), ""), set(texts)


def _images(catalog: Catalog, rows: Sequence[int]) -> set[bytes]:
    """SHA-256 of the files of some rows."""
    return {content for content in file_digests([catalog.file(row) for row in rows]) if content}
