"""MEP-3M: annotation.json (one JSON array of ten-field records), dataset_info.xlsx (the class table), Images/<sub-class>/<n>.jpg.

Format: github.com/ChenDelong1999/MEP-3M, README, annotations-1k.json and dataset_info.xlsx at 3e9c985; Liu, Chen et al.,
Pattern Recognition 140 (2023) 109519 (OCR), and IJCAI-21 workshop (the same without OCR).
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from repr.catalog import jsonfile
from repr.catalog.table import LEAVES, PARQUET, SCHEMA, Catalog, ClassName, Source
from repr.errors import UserError
from repr.files import replacing

ANNOTATIONS = ("annotation.json", "annotations.json")  # README's name, Hugging Face's name
INFO = ("dataset_info.xlsx", "dataset_info.csv")
COLUMNS = ["class_id", "class_name", "sub_class_id", "sub_class_name", "subsub_class_id", "subsub_class_name"]
NONE = frozenset({"FALSE", "FLASE", "", False, None})  # no third level: as the file, as the paper, as JSON
REMEDY_ROOT = "Give the folder that holds annotation.json and Images/"


class Size(msgspec.Struct, array_like=True, gc=False):
    """img_resolution: pixels, in the order of an array's shape. A grey image may have no third number."""

    height: jsonfile.Pixels
    width: jsonfile.Pixels
    channels: int = 3


class Record(msgspec.Struct, gc=False):
    """One record as the file spells it. The workshop's version has no OCR."""

    class_id: str | int
    class_name: str
    sub_class_id: str | int
    sub_class_name: str
    subsub_class_id: str | int | bool | None
    subsub_class_name: str | bool | None
    img_path: str
    img_resolution: Size
    title: str
    OCR: str | bool | None = None


@dataclass
class ClassTable:
    """The class tree: read from dataset_info, or gathered from the records as they come (`fixed` False).

    Hashes are positions in `levels`; ids are the keys, since three third-level names repeat their parent's.
    """

    fixed: bool = False
    levels: tuple[list[ClassName], list[ClassName], list[ClassName]] = field(default_factory=lambda: ([], [], []))
    code_of: tuple[dict[str, int], dict[str, int], dict[str, int]] = field(default_factory=lambda: ({}, {}, {}))
    renamed: set[tuple[str, str]] = field(default_factory=set)
    seen: dict[tuple[Any, ...], int] = field(default_factory=dict)  # the six class fields of a record → position in `triples`
    triples: list[tuple[int, int, int]] = field(default_factory=list)  # codes on the three levels, the third -1 for none

    def add(self, level: int, id_: str, name: str, parent: int, where: str) -> int:
        """The code of a class on level 0, 1 or 2, made when the table is not fixed. Raises UserError when it does not fit the tree."""
        code = self.code_of[level].get(id_)
        if code is None:
            if self.fixed:
                raise UserError(
                    f"unknown {COLUMNS[2 * level]} {id_!r} ({name})", where, "Mend the record, or add the class to dataset_info.xlsx"
                )
            code = self.code_of[level][id_] = len(self.levels[level])
            self.levels[level].append(ClassName(id_, name, parent))
            return code
        known = self.levels[level][code]
        if known.parent != parent:
            above = self.levels[level - 1]
            raise UserError(
                f"{COLUMNS[2 * level]} {id_!r} ({name}) stands under {above[parent].name}, elsewhere under {above[known.parent].name}",
                where,
                "Mend the record; a class has one parent",
            )
        if known.name != name:
            self.renamed.add((known.name, name))
        return code

    def take(self, key: tuple[Any, ...], where: str) -> int:
        """Take six fields in the order of COLUMNS in; the position of their codes in `triples`."""
        first = self.add(0, str(key[0]), key[1], -1, where)
        second = self.add(1, str(key[2]), key[3], first, where)
        third = -1 if key[4] in NONE else self.add(2, str(key[4]), str(key[5]), second, where)
        self.seen[key] = len(self.triples)
        self.triples.append((first, second, third))
        return self.seen[key]


def read_info(path: Path) -> ClassTable:
    """The class table of dataset_info.xlsx or of the same table as CSV: 14 classes, 599 sub-classes, 89 third-level ones."""
    rows = _xlsx_rows(path) if path.suffix.lower() == ".xlsx" else _csv_rows(path)
    if not rows or [str(cell) for cell in rows[0][:6]] != COLUMNS:
        raise UserError(f"the first row is not {', '.join(COLUMNS)}", path, "Give MEP-3M's dataset_info.xlsx")
    table = ClassTable()
    for n, row in enumerate(rows[1:], 2):
        row = (*row[:6], *(None,) * (6 - len(row)))
        if any(cell is None or cell == "" for cell in row[:4]):
            raise UserError("an empty cell", f"{path}, row {n}", "Mend the row")
        table.take(row, f"{path}, row {n}")
    table.fixed = True
    return table


def _xlsx_rows(path: Path) -> list[tuple[Any, ...]]:
    import zipfile
    from xml.etree.ElementTree import ParseError

    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True)
        sheet = book.worksheets[0]
        rows = [row for row in sheet.iter_rows(values_only=True, max_col=6) if any(cell is not None for cell in row)]
    except FileNotFoundError:
        raise UserError("there is no such file", path, "Check the path") from None
    except (zipfile.BadZipFile, LookupError, ValueError, ParseError) as error:
        raise UserError(f"not a readable xlsx file ({error})", path, "Fetch the file again") from None
    book.close()
    return rows


def _csv_rows(path: Path) -> list[tuple[Any, ...]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return [tuple(row) for row in csv.reader(file) if row]
    except FileNotFoundError:
        raise UserError("there is no such file", path, "Check the path") from None
    except UnicodeDecodeError as error:
        raise UserError(f"not UTF-8 at byte {error.start}", path, "Save the file as UTF-8") from None


def annotations_in(root: Path) -> Path | None:
    """The annotation file of a MEP-3M folder, or None: one of ANNOTATIONS, else the only annotation*.json (such as the public sample)."""
    for name in ANNOTATIONS:
        if (root / name).is_file():
            return root / name
    others = sorted(root.glob("annotation*.json"))
    return others[0] if len(others) == 1 else None


def info_in(root: Path) -> Path | None:
    """The class table of a MEP-3M folder, or None."""
    return next((root / name for name in INFO if (root / name).is_file()), None)


@dataclass
class Images:
    """Which images are on disk. A record whose image is not there is left out, when any image folder is there at all."""

    root: Path
    missing: Counter[str] = field(default_factory=Counter)  # folder → records left out since the whole folder is not there
    files: list[str] = field(default_factory=list)  # images left out one by one

    def __post_init__(self) -> None:
        images = self.root / "Images"
        self.check = images.is_dir() and any(entry.is_dir() for entry in images.iterdir())
        self.names = lru_cache(maxsize=64)(self._names)

    @property
    def quarantined(self) -> int:
        return len(self.files) + sum(self.missing.values())

    def _names(self, folder: str) -> frozenset[str] | None:
        try:
            return frozenset(entry.name for entry in (self.root / folder).iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return None

    def present(self, path: str) -> bool:
        """Whether the image at `path` is there; counts it when not."""
        folder, _, name = path.rpartition("/")
        names = self.names(folder)
        if names is not None and name in names:
            return True
        if names is None:
            self.missing[folder] += 1
        else:
            self.files.append(path)
        return False

    def write(self, path: Path) -> None:
        """The list of what was left out and why, as CSV."""
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["image", "records", "reason"])
            writer.writerows([f"{folder}/", n, "the folder is not there"] for folder, n in sorted(self.missing.items()))
            writer.writerows([name, 1, "the image is not there"] for name in self.files)


def batches(
    annotations: Path, classes: ClassTable, images: Images, *, on_bytes: Callable[[int], object] | None = None
) -> Iterator[pa.RecordBatch]:
    """The records of an annotation file as Arrow batches of the catalog's SCHEMA, in the file's order."""
    for first, records in jsonfile.stream_array(annotations, Record, on_bytes=on_bytes):
        yield _batch(annotations, first, records, classes, images)


def _batch(annotations: Path, first: int, records: list[Record], classes: ClassTable, images: Images) -> pa.RecordBatch:
    keys = [(r.class_id, r.class_name, r.sub_class_id, r.sub_class_name, r.subsub_class_id, r.subsub_class_name) for r in records]
    known = classes.seen.get
    triples = [known(key, -1) for key in keys]
    for i, triple in enumerate(triples):
        if triple < 0:
            triples[i] = known(keys[i], -1)
            if triples[i] < 0:
                triples[i] = classes.take(keys[i], f"{annotations}, record {first + i}")
    paths = pa.array([r.img_path for r in records], pa.string())
    leaving = pc.match_substring_regex(paths, LEAVES.pattern)
    if pc.any(leaving).as_py():
        i = leaving.index(True).as_py()
        raise UserError(
            f"the image path {records[i].img_path!r} leaves the folder",
            f"{annotations}, record {first + i}",
            "Mend the record; paths are relative to the folder of the annotations",
        )
    n = len(records)
    code = np.array(classes.triples, np.int32)[triples]
    columns: dict[str, pa.Array] = {
        "path": paths,
        "product": paths,
        "class_1": pa.array(code[:, 0]),
        "class_2": pa.array(code[:, 1]),
        "class_3": pa.array(code[:, 2]),
        "split": pa.array([""] * n, pa.string()),
        "title": pa.array([r.title for r in records], pa.string()),
        "ocr": pa.array([None if (o := r.OCR) in ("FALSE", "FLASE", False) else o for r in records], pa.string()),
        "source": pa.array(np.zeros(n, np.int16)),
        "height": pa.array([r.img_resolution.height for r in records], pa.int32()),
        "width": pa.array([r.img_resolution.width for r in records], pa.int32()),
    }
    batch = pa.RecordBatch.from_arrays([columns[f.name] if f.name in columns else pa.nulls(n, f.type) for f in SCHEMA], schema=SCHEMA)
    if images.check:
        batch = batch.filter(pa.array([images.present(r.img_path) for r in records], pa.bool_()))
    return batch


def describe(root: Path, classes: ClassTable, images: Images, table: pa.Table) -> Catalog:
    """The catalog around a table of records: class names, source, and notes on what was left out or renamed."""
    notes = []
    if images.quarantined:
        notes.append(f"{images.quarantined} records left out: their images are not in {root / 'Images'}")
    if classes.renamed:
        known, other = sorted(classes.renamed)[0]
        notes.append(f"{len(classes.renamed)} class names differ between records of one id, such as {known} and {other}; the first is used")
    source = Source(root.resolve().name, "mep3m", root.resolve(), synthetic=(root / "synthetic.json").is_file())
    first, second, third = (tuple(level) for level in classes.levels)
    return Catalog(table, (first, second, third), (source,), default_level=2, notes=tuple(notes))


def read(path: Path) -> Catalog:
    """A MEP-3M folder (or its annotation file) as a catalog in memory; class names from dataset_info.xlsx when it is there.

    Raises UserError for a record that lacks a field, has an unknown class id or a path out of the folder, and for a broken file.
    """
    annotations = path if path.is_file() else annotations_in(path)
    if annotations is None:
        raise UserError("no annotation.json in it", path, REMEDY_ROOT)
    root = annotations.parent
    info = info_in(root)
    classes, images = read_info(info) if info else ClassTable(), Images(root)
    table = pa.Table.from_batches(batches(annotations, classes, images), schema=SCHEMA)
    return describe(root, classes, images, table)


@dataclass(frozen=True)
class Built:
    """What `build_parquet` wrote."""

    catalog: Path
    records: int
    quarantined: int
    quarantine: Path | None  # the list of what was left out


def build_parquet(
    annotations: Path, out: Path, *, info: Path | None = None, root: Path | None = None, on_bytes: Callable[[int], object] | None = None
) -> Built:
    """Stream an annotation file of any length into a catalog file, in flat memory.

    info: dataset_info.xlsx; without it the classes are those of the records. root: where Images/ is; default: beside the annotations.
    Raises UserError as `read`; then nothing is left at `out`.
    """
    root = root or annotations.parent
    classes, images, records = read_info(info) if info else ClassTable(), Images(root), 0
    with replacing(out) as temporary, pq.ParquetWriter(temporary, SCHEMA, **PARQUET) as writer:
        with ThreadPoolExecutor(1) as pool:  # compressing lets the next block be decoded meanwhile
            written: Future[None] | None = None
            for batch in batches(annotations, classes, images, on_bytes=on_bytes):
                if written:
                    written.result()
                records += batch.num_rows
                written = pool.submit(writer.write_batch, batch)
            if written:
                written.result()
        writer.add_key_value_metadata(describe(root, classes, images, SCHEMA.empty_table()).metadata(out))
        if not records and not images.quarantined:
            raise UserError("no records in it", annotations, "Fetch the file again")
    quarantine = out.with_name(f"{out.stem}.quarantine.csv") if images.quarantined else None
    if quarantine:
        images.write(quarantine)
    return Built(out, records, images.quarantined, quarantine)
