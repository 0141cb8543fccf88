"""MEP-3M: annotation.json (one JSON array of ten-field records), dataset_info.xlsx (the class table), Images/<sub-class>/<n>.jpg.

Format: github.com/ChenDelong1999/MEP-3M, README, annotations-1k.json and dataset_info.xlsx at 3e9c985; Liu, Chen et al.,
Pattern Recognition 140 (2023) 109519 (OCR), and IJCAI-21 workshop (the same without OCR).
"""

from __future__ import annotations

import csv
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import ParseError

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from repr.arrays import Ints, again
from repr.catalog import jsonfile
from repr.catalog.names import as_text, normal
from repr.catalog.passed import PassedOver, Tally
from repr.catalog.spelling import ODD, Spelling, checked, plain, settled
from repr.catalog.table import PARQUET, SCHEMA, Catalog, ClassName, Source
from repr.errors import UserError
from repr.files import replacing

ANNOTATIONS = ("annotation.json", "annotations.json")  # README's name, Hugging Face's name
INFO = ("dataset_info.xlsx", "dataset_info.csv")
COLUMNS = ["class_id", "class_name", "sub_class_id", "sub_class_name", "subsub_class_id", "subsub_class_name"]
NONE = frozenset({"FALSE", "FLASE", ""})  # no third level: as the file, as the paper; JSON has false and null too
CLOSED = "records of folders that cannot be opened"  # begins the reason, why stands behind it
AGAIN = "records of an image that is there already"
Classified = tuple[object, ...]  # six fields in the order of COLUMNS, as the file has them
REMEDY_ROOT = "Give the folder that holds annotation.json and Images/"


class Size(msgspec.Struct, array_like=True, gc=False):
    """img_resolution: pixels, in the order of an array's shape. A grey image may have no third number."""

    height: jsonfile.Pixels
    width: jsonfile.Pixels
    channels: int = 3


class NoSize:
    """Of a record that does not say."""

    height = width = None


class Record(msgspec.Struct, gc=False):
    """One record as the file spells it. The workshop's version has no OCR."""

    class_id: jsonfile.Id
    class_name: str
    sub_class_id: jsonfile.Id
    sub_class_name: str
    subsub_class_id: jsonfile.Id | bool | None
    subsub_class_name: str | bool | None
    img_path: str
    img_resolution: Size | None
    title: str | None
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
    seen: dict[Classified, int] = field(default_factory=dict)  # the six class fields of a record → position in `triples`
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

    def take(self, key: Classified, where: str) -> int:
        """Take six fields in the order of COLUMNS in; the position of their codes in `triples`."""
        first = self.add(0, jsonfile.id_text(key[0]), normal(str(key[1])), -1, where)
        second = self.add(1, jsonfile.id_text(key[2]), normal(str(key[3])), first, where)
        third = -1 if _is_none(key[4]) else self.add(2, jsonfile.id_text(key[4]), normal(str(key[5])), second, where)
        self.seen[key] = len(self.triples)
        self.triples.append((first, second, third))
        return self.seen[key]


def _is_none(id_: object) -> bool:
    """Whether a third-level id stands for none; 0 is an id, though it equals False."""
    return id_ is None or id_ is False or (isinstance(id_, str) and id_ in NONE)


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


def _xlsx_rows(path: Path) -> list[Classified]:
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True)
        sheet = book.worksheets[0]
        rows: list[Classified] = [row for row in sheet.iter_rows(values_only=True, max_col=6) if any(cell is not None for cell in row)]
    except FileNotFoundError:
        raise UserError("there is no such file", path, "Check the path") from None
    except (zipfile.BadZipFile, LookupError, ValueError, ParseError) as error:
        raise UserError(f"not a readable xlsx file ({error})", path, "Fetch the file again") from None
    book.close()
    return rows


def _csv_rows(path: Path) -> list[Classified]:
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


class Images(Spelling):
    """Which images are on disk. A record whose image is not there is passed over, when any image folder is there at all.

    hashes: one a record taken, equal for the same image and class; see `repeats`.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        images = root / "Images"
        self.check = images.is_dir() and any(entry.is_dir() for entry in images.iterdir())
        self.missing: Counter[str] = Counter()  # folder → records passed over since the whole folder is not there
        self.files: list[str] = []  # images passed over one by one
        self.hashes: list[Ints] = []
        self.places: list[Ints] = []  # as hashes, equal for the same image

    @property
    def quarantined(self) -> int:
        """Records passed over."""
        return len(self.files) + sum(self.missing.values())

    def own(self, path: str) -> str | None:
        """The path of the image that a record means, as the disk has it; None, and counted, when it is not there."""
        file = self.find(path)
        if file is None:
            path = plain(path)
            folder = path.rpartition("/")[0]
            if self.names(folder) is None:
                self.missing[folder] += 1
            else:
                self.files.append(path)
        return file

    def count(self, passed: Tally) -> None:
        """Count what is passed over, by reason."""
        for folder, n in sorted(self.missing.items()):
            why = f"{CLOSED} ({self.closed[folder]})" if folder in self.closed else "records of folders that are not there"
            passed.add(why, f"{folder}/", n)
        for path in self.files:
            passed.add("records whose image is not there", path)

    def write(self, path: Path) -> None:
        """The list of what was left out and why, as CSV."""
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["image", "records", "reason"])
            writer.writerows(
                [f"{folder}/", n, self.closed.get(folder, "the folder is not there")] for folder, n in sorted(self.missing.items())
            )
            writer.writerows([name, 1, "the image is not there"] for name in self.files)

    def repeats(self) -> Ints:
        """Positions, among the records taken, of those whose image and class came before."""
        return again(self.hashes)

    def torn(self) -> Ints:
        """Positions, among the records taken, of those whose image came before, under another class."""
        return np.setdiff1d(again(self.places), self.repeats())


def _torn_note(table: pa.Table, torn: Ints) -> list[str]:
    """What is said of the rows `torn` of all the records taken."""
    if not len(torn):
        return []
    return [
        f"{len(torn):,} records give an image another class than an earlier record does, such as {table['path'][int(torn[0])]}; all stay"
    ]


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
    paths = _paths(annotations, first, records, images)
    n = len(records)
    code = np.array(classes.triples, np.int32)[triples]
    sizes = [r.img_resolution or NoSize for r in records]
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
        "height": pa.array([size.height for size in sizes], pa.int32()),
        "width": pa.array([size.width for size in sizes], pa.int32()),
    }
    batch = pa.RecordBatch.from_arrays([columns[f.name] if f.name in columns else pa.nulls(n, f.type) for f in SCHEMA], schema=SCHEMA)
    if paths.null_count:
        batch = batch.filter(paths.is_valid())
    images.hashes.append(np.array([hash(pair) for pair in zip(paths.to_pylist(), triples, strict=True) if pair[0] is not None], np.int64))
    images.places.append(np.array([hash(path) for path in paths.to_pylist() if path is not None], np.int64))
    return batch


def _paths(annotations: Path, first: int, records: list[Record], images: Images) -> pa.Array:
    """The paths of the records' images, null for those that are not there. Most are spelled as their files are."""
    given = [r.img_path for r in records]
    paths = pa.array(given, pa.string())
    odd = pc.match_substring_regex(paths, ODD.pattern).to_pylist()
    for i in np.flatnonzero(odd).tolist():
        checked(given[i], f"{annotations}, record {first + i}")
        if not images.check:
            given[i] = settled(images, given[i], f"{annotations}, record {first + i}")
    if not images.check:
        return pa.array(given, pa.string()) if any(odd) else paths
    settled_paths = [path if not strange and images.has(path) else images.own(path) for path, strange in zip(given, odd, strict=True)]
    return paths if settled_paths == given else pa.array(settled_paths, pa.string())


def describe(root: Path, classes: ClassTable, images: Images, table: pa.Table, passed: Tally, torn: list[str]) -> Catalog:
    """The catalog around a table of records: class names, source, notes, and what was passed over."""
    notes = [*images.notes(), *torn]
    if classes.renamed:
        known, other = sorted(classes.renamed)[0]
        notes.append(f"{len(classes.renamed)} class names differ between records of one id, such as {known} and {other}; the first is used")
    root = root.resolve()
    source = Source(as_text(root.name), "mep3m", root, synthetic=(root / "synthetic.json").is_file())
    first, second, third = (tuple(level) for level in classes.levels)
    return Catalog(table, (first, second, third), (source,), 2, tuple(notes), passed.list())


def _check_some(annotations: Path, records: int, images: Images) -> None:
    """Raise UserError when not one record can be used."""
    if not records and images.quarantined:
        example = images.files[0] if images.files else f"{min(images.missing)}/"
        message = f"none of the images of its {images.quarantined:,} records is there, such as {example} in {images.root}"
        raise UserError(message, annotations, "Put the images beside the annotations, or take the folder Images away to read records alone")
    if not records:
        raise UserError("no records in it", annotations, "Fetch the file again")


def read(path: Path) -> Catalog:
    """A MEP-3M folder (or its annotation file) as a catalog in memory; class names from dataset_info.xlsx when it is there.

    Raises UserError for a record that lacks a field, has an unknown class id or a path out of the folder, and for a broken file.
    """
    annotations = path if path.is_file() else annotations_in(path)
    if annotations is None:
        raise UserError("no annotation.json in it", path, REMEDY_ROOT)
    root = annotations.parent
    info = info_in(root)
    classes, images, passed = read_info(info) if info else ClassTable(), Images(root), Tally()
    table = pa.Table.from_batches(batches(annotations, classes, images), schema=SCHEMA)
    _check_some(annotations, len(table), images)
    images.count(passed)
    torn = _torn_note(table, images.torn())
    table = _once(table, images.repeats(), passed)
    return describe(root, classes, images, table, passed, torn)


def _once(table: pa.Table, repeats: Ints, passed: Tally) -> pa.Table:
    """The table without the rows `repeats`, which are counted."""
    for row in repeats.tolist():
        passed.add(AGAIN, table["path"][row].as_py())
    return table if not len(repeats) else table.filter(pa.array(~np.isin(np.arange(len(table)), repeats)))


@dataclass(frozen=True)
class Built:
    """What `build_parquet` wrote."""

    catalog: Path
    records: int
    quarantined: int
    quarantine: Path | None  # the list of what was left out
    notes: tuple[str, ...]
    passed_over: tuple[PassedOver, ...]


def build_parquet(annotations: Path, out: Path, *, info: Path | None = None, on_bytes: Callable[[int], object] | None = None) -> Built:
    """Stream an annotation file of any length into a catalog file, in flat memory.

    info: dataset_info.xlsx; without it the classes are those of the records. Images/ is beside the annotations.
    Raises UserError as `read`; then nothing is left at `out`.
    """
    root = annotations.parent
    classes, images, records, passed = read_info(info) if info else ClassTable(), Images(root), 0, Tally()
    with replacing(out) as temporary:
        with pq.ParquetWriter(temporary, SCHEMA, **PARQUET) as writer:
            with ThreadPoolExecutor(1) as pool:  # compressing lets the next block be decoded meanwhile
                written: Future[None] | None = None
                for batch in batches(annotations, classes, images, on_bytes=on_bytes):
                    if written:
                        written.result()
                    records += batch.num_rows
                    written = pool.submit(writer.write_batch, batch)
                if written:
                    written.result()
            _check_some(annotations, records, images)
            images.count(passed)
            repeats, torn = images.repeats(), images.torn()
            described = describe(root, classes, images, SCHEMA.empty_table(), passed, [])
            if not len(repeats) and not len(torn):
                writer.add_key_value_metadata(described.metadata(out))
        if len(repeats) or len(torn):  # seldom: so they are taken out afterwards, and the others' paths need not be kept in memory
            table = pq.read_table(temporary)
            note = _torn_note(table, torn)
            table = _once(table, repeats, passed)
            described = describe(root, classes, images, table, passed, note)
            described.write(temporary, out)
            records = len(table)
    quarantine = out.with_name(f"{out.stem}.quarantine.csv") if images.quarantined else None
    if quarantine:
        images.write(quarantine)
    return Built(out, records, images.quarantined, quarantine, described.notes, described.passed_over)
