"""A CSV list of images: columns `image` and `product`, and where wanted `name`, `barcode`, `title`, `description`, `class`, `split`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from repr.catalog import sheet
from repr.catalog.divided import split_of
from repr.catalog.names import normal
from repr.catalog.passed import Tally
from repr.catalog.sheet import Row
from repr.catalog.spelling import Spelling, settled
from repr.catalog.table import Catalog, ClassName, Source, build
from repr.errors import UserError

OPTIONAL = ("name", "barcode", "title", "description")
IMAGE = (
    "image",
    "picture",
    "photo",
    "file",
    "filename",
    "file_name",
    "path",
    "image_path",
)  # what the column is called, first choice first
COLUMNS = ("image", "product", *OPTIONAL, "class", "split")
AGAIN = "images listed again for the same product"


def read(path: Path) -> Catalog:
    """A CSV with a header (see sheet.py for what is accepted) as a catalog; images are relative to the folder the CSV stands in.

    Class level 1 is `class`, or the product itself without that column; `split` is train, val or test, or a synonym. Columns of other
    names are not read, and a note names them. A row of an image and product that are listed already is passed over. Raises UserError
    for a missing column or cell, a split of another name, and a path that leaves the folder.
    """
    listed = sheet.read(path, _fits)
    names = {name.lower(): name for name in reversed(listed.columns)}
    image = next((names[name] for name in IMAGE if name in names), "")
    for needed, there in (("image", image), ("product", "product" in names)):
        if not there:
            header = ", ".join(listed.columns)
            raise UserError(f"no column {needed!r}", path, f"Name the columns image, product in the first row (it has: {header})")
    if not listed.rows:
        raise UserError("no rows", path, "List at least one image")
    used = {"image": image} | {name: names[name] for name in COLUMNS[1:] if name in names}
    root = path.absolute().parent.resolve()  # the folder of a link, not of what it points to
    files, passed = Spelling(root), Tally()
    rows = _rows(path, [(n, {name: row[own] for name, own in used.items()}) for n, row in listed.rows], files, passed)
    files.count_closed(passed)
    codes: dict[str, int] = {}
    for row in rows:
        codes.setdefault(row["class"], len(codes))
    columns: dict[str, Sequence[object]] = {
        "path": [row["image"] for row in rows],
        "product": [row["product"] for row in rows],
        "class_1": [codes[row["class"]] for row in rows],
        "split": [row.get("split", "") for row in rows],
        **{name: [row[name] or None for row in rows] for name in OPTIONAL if name in used},
    }
    unread = [repr(name) for name in listed.columns if name and name not in used.values()]
    notes = [f"{path.name}: not read: the columns {', '.join(unread)}"] if unread else []
    if empty := sum(not row.get("split") for row in rows) if any(row.get("split") for row in rows) else 0:
        notes.append(f"{path.name}: {empty:,} of {len(rows):,} images have no split, and are neither of train, val nor test")
    notes += [*files.notes(), *_contradictions(rows, [name for name in ("product", "class", "split") if name in used])]
    source = Source(path.stem, "csv", root, synthetic=(root / "synthetic.json").is_file())
    first = tuple(ClassName(name, name) for name in codes)
    described = {"classes": (first, (), ()), "sources": (source,), "default_level": 1}
    return build(columns, **described, notes=tuple(notes), passed_over=passed.list())


def _fits(header: Sequence[str]) -> bool:
    names = {name.lower() for name in header}
    return "product" in names and not names.isdisjoint(IMAGE)


def _rows(path: Path, listed: Sequence[tuple[int, Row]], files: Spelling, passed: Tally) -> list[Row]:
    """The rows checked, each with the path of its file, the names in their normal form, and a class; without those listed twice."""
    rows: list[Row] = []
    seen: set[tuple[str, ...]] = set()
    for n, row in listed:
        where = f"{path}, row {n}"
        row = {**row, "class": row.get("class", row["product"])}
        for name in ("image", "product", "class"):
            if not row[name]:
                raise UserError(f"no {name}", where, "Fill the cell or remove the row")
            if len(row[name].splitlines()) > 1:
                raise UserError(f"a line break in {name}: {row[name]!r:.60}", where, "Mend the quotes: one that opens a cell ends it too")
        row["product"], row["class"] = normal(row["product"]), normal(row["class"])
        row["image"] = settled(files, row["image"], where)
        if row.get("split"):
            split = split_of(row["split"])
            if not split:
                raise UserError(f"the split {row['split']!r}", where, "Write train, val or test, or leave the cell empty")
            row["split"] = split
        key = (row["image"], row["product"], row["class"], row.get("split", ""))
        if key in seen:
            passed.add(AGAIN, f"row {n}: {row['image']}")
        else:
            seen.add(key)
            rows.append(row)
    return rows


def _contradictions(rows: Sequence[Row], columns: Sequence[str]) -> list[str]:
    """Notes on images that are listed under several products, classes or splits."""
    notes = []
    for column, what in ((column, {"class": "classes"}.get(column, f"{column}s")) for column in columns):
        values: dict[str, set[str]] = {}
        for row in rows:
            values.setdefault(row["image"], set()).add(row.get(column, ""))
        several = [(image, several_values) for image, several_values in values.items() if len(several_values) > 1]
        if several:
            image, several_values = several[0]
            notes.append(
                f"{len(several)} images are listed under several {what}, such as {image} under {' and '.join(sorted(several_values))}"
            )
    return notes
