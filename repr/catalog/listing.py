"""A CSV list of images: columns `image` and `product`, and where wanted `name`, `barcode`, `title`, `class`."""

from __future__ import annotations

import csv
from pathlib import Path

from repr.catalog.table import LEAVES, Catalog, ClassName, Source, build
from repr.errors import UserError

OPTIONAL = ("name", "barcode", "title")


def read(path: Path) -> Catalog:
    """A CSV (UTF-8, with a header; commas, semicolons or tabs) as a catalog; images are relative to its folder.

    Other columns are left alone. Class level 1 is `class`, or the product itself without that column. Raises UserError for a
    missing column or cell, and a path that leaves the folder.
    """
    rows = _rows(path)
    columns: dict[str, list[object]] = {"path": [], "product": [], "class_1": []}
    columns |= {name: [] for name in OPTIONAL if name in rows[0]}
    codes: dict[str, int] = {}
    for n, row in enumerate(rows, 2):
        image, product = row["image"], row["product"]
        label = row.get("class", product)
        for name, cell in (("image", image), ("product", product), ("class", label)):
            if not cell:
                raise UserError(f"no {name}", f"{path}, row {n}", "Fill the cell or remove the row")
        if LEAVES.search(image):
            raise UserError(f"the image path {image!r} leaves the folder", f"{path}, row {n}", "Paths are relative to the CSV's folder")
        columns["path"].append(image.replace("\\", "/"))
        columns["product"].append(product)
        columns["class_1"].append(codes.setdefault(label, len(codes)))
        for name in OPTIONAL:
            if name in columns:
                columns[name].append(row[name] or None)
    root = path.resolve().parent
    source = Source(path.stem, "csv", root, synthetic=(root / "synthetic.json").is_file())
    first = tuple(ClassName(name, name) for name in codes)
    return build(dict(columns), classes=(first, (), ()), sources=(source,), default_level=1)


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            if not first.strip():
                raise UserError("the first line is empty", path, "Name the columns image, product in it")
            file.seek(0)
            reader = csv.DictReader(file, restval="", delimiter=max(",;\t", key=first.count))
            header = [name.strip() for name in reader.fieldnames or []]
            reader.fieldnames = header
            for needed in ("image", "product"):
                if needed not in header:
                    raise UserError(
                        f"no column {needed!r}", path, f"Name the columns image, product in the first row (it has: {', '.join(header)})"
                    )
            rows = [{name: (row[name] or "").strip() for name in header} for row in reader]
    except FileNotFoundError:
        raise UserError("there is no such file", path, "Check the path") from None
    except UnicodeDecodeError as error:
        raise UserError(f"not UTF-8 at byte {error.start}", path, "Save the file as UTF-8") from None
    except csv.Error as error:
        raise UserError(f"not a readable CSV ({error})", path, "Save the file again as UTF-8 CSV") from None
    if not rows:
        raise UserError("no rows", path, "List at least one image")
    return rows
