"""Rakuten France's challenge of SIGIR eCom 2020, in its own TSV files and in the CSV files of challengedata.ens.fr, challenge 35.

SIGIR: `X_train.tsv` (Integer_id, Title, Description, Image_id, Product_id) and `Y_train.tsv` (Prdtypecode), row for row. ENS:
`X_train_update.csv` (a column without a name, designation, description, productid, imageid) and `Y_train_*.csv` (the same column,
prdtypecode). Both: `images/image_<part>/image_<image>_product_<product>.jpg`. Titles and descriptions hold HTML, which is read.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from repr.catalog import sheet
from repr.catalog.markup import cleaned
from repr.catalog.names import as_text
from repr.catalog.passed import Tally
from repr.catalog.spelling import Spelling
from repr.catalog.table import Catalog, ClassName, Source, build
from repr.errors import UserError
from repr.files import replacing

FILE = re.compile(r"(?P<what>[xy])_(?P<part>[a-z]+)[^/]*\.(?:tsv|csv)", re.IGNORECASE)  # X_train.tsv, X_test_task1_phase1.tsv
CALLED = {
    "index": ("integer_id", "", "unnamed: 0"),
    "title": ("title", "designation"),
    "description": ("description",),
    "image": ("image_id", "imageid"),
    "product": ("product_id", "productid"),
    "code": ("prdtypecode",),
}  # a column's names in either layout, in small letters
NEEDED = ("title", "description", "image", "product")
SIGIR, ENS = "Integer_id, Title, Description, Image_id, Product_id", "(none), designation, description, productid, imageid"
EXPECTED = f"The columns are {SIGIR} (SIGIR's TSV) or {ENS} (ENS 35's CSV)"
CODES = "The column is Prdtypecode (SIGIR's TSV), or prdtypecode behind one without a name (ENS 35's CSV)"
UNLABELLED = "products without a class, beside those that have one; their file can be named by itself"
AGAIN = "products listed again with the same image"
LARGEST = 2**63


@dataclass(frozen=True)
class Listed:
    """One product as the file has it, its texts plain. code: of its class, None where there is none. where: its place, for errors."""

    product: int
    image: int
    title: str | None
    description: str | None
    code: int | None
    part: str

    @property
    def path(self) -> str:
        """Where its image belongs, below the folder."""
        return f"images/image_{self.part}/image_{self.image}_product_{self.product}.jpg"


def products_in(root: Path) -> list[Path]:
    """The files of a folder that list products, by name."""
    names = sorted(entry.name for entry in root.iterdir()) if root.is_dir() else []
    return [root / name for name in names if (match := FILE.fullmatch(name)) and match["what"] in "xX" and lists_products(root / name)]


def lists_products(path: Path) -> bool:
    """Whether the first line of a file names the columns of either layout."""
    try:
        with path.open(encoding="utf-8-sig") as stream:
            header = stream.readline()
    except (OSError, UnicodeDecodeError):
        return False
    cells = {cell.strip().strip('"').lower() for cell in re.split(r"[\t,;]", header)}
    return sum(not cells.isdisjoint(CALLED[name]) for name in ("title", "image", "product")) >= 2 and not cells.isdisjoint(
        {"designation", "imageid", "productid", "image_id", "integer_id"}
    )


def read(path: Path) -> Catalog:
    """A folder, or one file of products, as a catalog: the class on level 1, by its code; splits "" unless several parts have classes.

    Of a folder where one part has classes and another has none the first is read, and the other counted. Products whose image is not
    there stay, for their texts. Raises UserError for a column that is missing or doubled, a number that is none, labels that do not fit.
    """
    files = [path] if path.is_file() else products_in(path)
    if not files:
        raise UserError("no file of products in it", path, "Give the folder that holds X_train.tsv or X_train_update.csv")
    root = (path.parent if path.is_file() else path).absolute()
    parts: dict[str, list[Listed]] = {}
    for file in files:
        part = _part(file)
        if part in parts:
            raise UserError(f"a second file of the part {part}", file, "Keep one of them in the folder, or name the file itself")
        parts[part] = _products(file, part)
    labelled = [part for part, listed in parts.items() if any(one.code is not None for one in listed)]
    passed, products = Tally(), list[Listed]()
    for part, listed in parts.items():
        if labelled and part not in labelled:
            passed.add(UNLABELLED, f"{part}", len(listed))
        else:
            products += _once(listed, passed)
    return _catalog(root, products, passed, split=len(labelled) > 1)


def _part(file: Path) -> str:
    match = FILE.fullmatch(file.name)
    return match["part"].lower() if match else "train"


def _products(file: Path, part: str) -> list[Listed]:
    listed = sheet.read(file, lambda header: len(header) > 1, expected=EXPECTED)
    own = _columns(listed.columns, NEEDED, file, EXPECTED)
    index = [(row[own["index"]] if "index" in own else "", f"{file}, row {n}") for n, row in listed.rows]
    codes = _codes(file, part, index)
    return [
        Listed(
            _integer(row[own["product"]], "product", f"{file}, row {n}"),
            _integer(row[own["image"]], "image", f"{file}, row {n}"),
            cleaned(row[own["title"]]),
            cleaned(row[own["description"]]),
            code,
            part,
        )
        for (n, row), code in zip(listed.rows, codes, strict=True)
    ]


def _columns(header: Sequence[str], needed: Sequence[str], file: Path, expected: str) -> dict[str, str]:
    """What the file calls each column. Raises UserError, with the names expected, where one is missing or there under both names."""
    columns: dict[str, str] = {}
    for name, spellings in CALLED.items():
        there = [column for column in header if column.lower() in spellings]
        if len(there) > 1 and name != "index":
            raise UserError(f"the columns {' and '.join(there)} are one and the same", file, expected)
        columns |= {name: there[0]} if there else {}
    missing = [name for name in needed if name not in columns]
    if missing:
        absent = f"no column {' and no column '.join(' or '.join(CALLED[name]) for name in missing)}"
        raise UserError(f"{absent} (it has: {', '.join(header)})", file, expected)
    return columns


def _codes(file: Path, part: str, index: Sequence[tuple[str, str]]) -> list[int | None]:
    """The class code of every product, (n,), by the index where the labels have one, else row for row; None without a file of labels."""
    match = [one for one in sorted(file.parent.iterdir()) if (m := FILE.fullmatch(one.name)) and m["what"] in "yY"]
    labels = [one for one in match if _part(one) == part]
    if not labels:
        return [None] * len(index)
    if len(labels) > 1:
        raise UserError(f"a second file of labels of the part {part}", labels[1], "Keep one of them in the folder")
    listed = sheet.read(labels[0], lambda header: True, expected=CODES)
    own = _columns(listed.columns, ("code",), labels[0], CODES)
    given = [(row, f"{labels[0]}, row {n}") for n, row in listed.rows]
    codes = [_integer(row[own["code"]], "class code", where) for row, where in given]
    if len(codes) != len(index):
        raise UserError(f"{len(codes):,} labels for {len(index):,} products of {file.name}", labels[0], "Give the labels of these products")
    if "index" not in own or not all(key for key, _ in index):
        return list(codes)
    by_index: dict[str, int] = {}
    for (row, where), code in zip(given, codes, strict=True):
        if row[own["index"]] in by_index:
            raise UserError(f"a second label with the index {row[own['index']]}", where, "Number the rows of both files anew, from 0 up")
        by_index[row[own["index"]]] = code
    unknown = next(((key, where) for key, where in index if key not in by_index), None)
    if unknown:
        raise UserError(f"no label with the index {unknown[0]} in {labels[0].name}", unknown[1], "Give the labels of these products")
    return [by_index[key] for key, _ in index]


def _integer(text: str, what: str, where: str) -> int:
    """A number of 64 bits. Raises UserError for "1263597046.0", which has been through a floating-point number, and for any other text."""
    try:
        value = int(text)
    except ValueError:
        value = LARGEST
    if not -LARGEST <= value < LARGEST:
        raise UserError(f"the {what} {text!r} is no integer of 64 bits", where, "Mend the cell; numbers are whole and without a point")
    return value


def _once(listed: Sequence[Listed], passed: Tally) -> list[Listed]:
    unique: dict[tuple[int, int], Listed] = {}
    for one in listed:
        if (one.product, one.image) in unique:
            passed.add(AGAIN, one.path)
        unique.setdefault((one.product, one.image), one)
    return list(unique.values())


def _catalog(root: Path, products: Sequence[Listed], passed: Tally, *, split: bool) -> Catalog:
    codes = sorted({one.code for one in products if one.code is not None})
    place = {code: n for n, code in enumerate(codes)}
    columns: dict[str, Sequence[object]] = {
        "path": [one.path for one in products],
        "product": [str(one.product) for one in products],
        "class_1": [-1 if one.code is None else place[one.code] for one in products],
        "split": [one.part if split else "" for one in products],
        "title": [one.title for one in products],
        "description": [one.description for one in products],
    }
    files = Spelling(root)
    missing = [one.path for one in products if not files.has(one.path)]
    files.count_closed(passed)
    notes = [f"{len(missing):,} of {len(products):,} products have no image, such as {missing[0]}"] if missing else []
    source = Source(as_text(root.name), "rakuten", root, synthetic=(root / "synthetic.json").is_file())
    first = tuple(ClassName(str(code), str(code)) for code in codes)
    described = {"classes": (first, (), ()), "sources": (source,), "default_level": 1}
    return build(columns, **described, notes=tuple(notes), passed_over=passed.list())


def write_submission(out: Path, file: Path, codes: Mapping[tuple[str, str], str]) -> None:
    """Write predicted codes in the form of the challenge's labels: ENS the index and prdtypecode, SIGIR Prdtypecode row for row.

    file: the products that were asked for; codes: (product, path of the image) → class. Raises UserError for a product that has none, and
    a class that is no code of the challenge.
    """
    listed = sheet.read(file, lambda header: len(header) > 1, expected=EXPECTED)
    own, part = _columns(listed.columns, NEEDED, file, EXPECTED), _part(file)
    sigir = own["title"].lower() == "title"
    rows = []
    for n, row in listed.rows:
        where = f"{file}, row {n}"
        product, image = (_integer(row[own[name]], name, where) for name in ("product", "image"))
        path = Listed(product, image, None, None, None, part).path
        code = codes.get((str(product), path))
        if code is None:
            raise UserError("a product without a prediction", where, "Ask for this file's own products")
        rows.append([_integer(code, "class", where)] if sigir else [row[own["index"]], _integer(code, "class", where)])
    header = ["Prdtypecode"] if sigir else ["", "prdtypecode"]
    with replacing(out) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, delimiter="\t" if sigir else ",", lineterminator="\n").writerows([header, *rows])


def products_of(path: Path) -> Path:
    """The one file of products that a path means. Raises UserError for several, or none."""
    files = [path] if path.is_file() else products_in(path)
    if len(files) != 1:
        raise UserError(f"{len(files)} files of products", path, "Name the one that was asked for")
    return files[0]
