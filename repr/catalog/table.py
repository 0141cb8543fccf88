"""The catalog: what images of what products there are. One row an image, or one a box of a checkout scene.

In memory it is one Arrow table with the columns of SCHEMA; on disk a Parquet file whose schema metadata carries the
names of the classes, the roots of the sources and whether any of it is the synthetic shop.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from repr.arrays import Array, Bools, Ints
from repr.catalog.names import as_name, as_text
from repr.catalog.passed import PassedOver, PassedOverJson
from repr.commands import command_line
from repr.errors import UserError
from repr.files import replacing
from repr.images.boxes import Box, DrawnBox

VERSION = 3
METADATA_KEY = b"repr.catalog"
BUILDING = command_line("repr catalog build", data="DATA", out="catalog.parquet")
# Dictionary pages only where values repeat: paths and titles are nearly all distinct.
PARQUET = {"compression": "zstd", "compression_level": 1, "use_dictionary": ["split", "source", "class_1", "class_2", "class_3", "scene"]}

SCHEMA = pa.schema(
    [
        ("path", pa.string()),  # relative to the root of its source, with /; see names.py for those that are not UTF-8
        # key of the product, unique within its source: RPC's category id, the CSV's product, a folder's name, a MEP-3M image path
        ("product", pa.string()),
        ("class_1", pa.int32()),  # code: position in classes[0]; -1 for none
        ("class_2", pa.int32()),
        ("class_3", pa.int32()),
        ("split", pa.string()),  # "train", "val", "test", or "" where the source has none
        ("box", pa.list_(pa.float32(), 4)),  # x, y, w, h in pixels; null for the whole image
        ("title", pa.string()),  # null when there is none
        ("description", pa.string()),  # null when there is none
        ("ocr", pa.string()),  # null when OCR was not run or found nothing ("FALSE"); "" where the source says ""
        ("source", pa.int16()),  # position in sources
        ("name", pa.string()),  # the product's display name, null when there is none
        ("barcode", pa.string()),
        ("width", pa.int32()),  # pixels, as the source's records say; null when they do not
        ("height", pa.int32()),
        ("scene", pa.string()),  # "easy", "medium", "hard" for checkout scenes, else null
    ]
)


@dataclass(frozen=True)
class ClassName:
    """One class of one level: the source's own id, its name, and the code of its parent one level up (-1 for none)."""

    id: str
    name: str
    parent: int = -1


@dataclass(frozen=True)
class Source:
    """Where rows come from: a short name (prefix of its ids in a union), the kind of reader, and the folder that paths start from."""

    name: str
    kind: str  # "mep3m", "rpc", "rakuten", "folders", "csv"
    root: Path
    synthetic: bool = False


@dataclass(frozen=True)
class Catalog:
    """The table with the names of its classes (one list a level, position = code) and its sources."""

    table: pa.Table
    classes: tuple[tuple[ClassName, ...], tuple[ClassName, ...], tuple[ClassName, ...]]
    sources: tuple[Source, ...]
    default_level: int = 2  # the level that `labels(None)` means
    notes: tuple[str, ...] = field(default=())  # what a reader should know: subset proposed, paths mended, …
    passed_over: tuple[PassedOver, ...] = field(default=())  # what lay among the data and is not in the table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def synthetic(self) -> bool:
        """Whether any row comes from the synthetic shop; results made on it are labelled so."""
        return any(source.synthetic for source in self.sources)

    @property
    def name(self) -> str:
        """A short name for tables and files: the sources' names joined by +."""
        return "+".join(source.name for source in self.sources)

    def column(self, name: str) -> Array:
        """A column as a NumPy array (text as objects, null as None; integers with nulls become floats)."""
        return np.asarray(self.table.column(name).to_numpy(zero_copy_only=False))

    def select(self, rows: Ints | Bools) -> Catalog:
        """The rows given by positions or by a boolean mask; class names and codes stay as they are."""
        chosen = np.asarray(rows)
        if chosen.dtype == bool:
            chosen = np.flatnonzero(chosen)
        return replace(self, table=self.table.take(pa.array(chosen, type=pa.int64())))

    def in_split(self, *names: str) -> Catalog:
        """The rows whose split is one of `names`."""
        return self.select(np.isin(self.column("split").astype(str), names))

    def labels(self, level: int | None = None) -> tuple[Ints, tuple[str, ...]]:
        """Dense labels of a level: (n,) int64 in 0..c-1 with -1 for rows without a label, and the c class names.

        Only classes that occur get a label, ordered by code. Level 3 is the papers' joint level: a record without a
        third level keeps its sub-class (MEP-3M's 688-way task: 599 + 89). Names that occur twice get their id appended.
        Raises UserError when no row has a label on that level.
        """
        level = level or self.default_level
        codes = self.column(f"class_{level}").astype(np.int64)
        entries = list(self.classes[level - 1])
        if level == 3:
            codes = np.where(codes >= 0, codes, self.column("class_2").astype(np.int64) + len(entries))
            codes[(self.column("class_3") < 0) & (self.column("class_2") < 0)] = -1
            entries += list(self.classes[1])
        present = np.unique(codes[codes >= 0])
        if not len(present):
            raise UserError(f"no labels on level {level}", self.name, "Choose another `level`")
        dense = np.full(int(present.max()) + 2, -1, dtype=np.int64)
        dense[present] = np.arange(len(present))
        names = [entries[code].name for code in present]
        times: dict[str, int] = {}
        for name in names:
            times[name] = times.get(name, 0) + 1
        unique = [name if times[name] == 1 else f"{name} ({entries[code].id})" for name, code in zip(names, present, strict=True)]
        return dense[codes], tuple(unique)

    def product_labels(self) -> tuple[Ints, tuple[str, ...]]:
        """Dense labels of the products: (n,) int64, and the c product keys in numeric order if all are numbers, else sorted.

        In a union of several sources the keys are prefixed by the source's name and a colon.
        """
        keys = self.product_keys()
        unique, labels = np.unique(keys.astype(str), return_inverse=True)
        if all(key.isdecimal() for key in unique):
            numbers = np.array([int(key) for key in unique], dtype=object)  # of any length
            order = np.argsort(numbers, kind="stable")
            rank = np.empty_like(order)
            rank[order] = np.arange(len(order))
            unique, labels = unique[order], rank[labels]
        return labels.astype(np.int64), tuple(str(key) for key in unique)

    def product_keys(self) -> npt.NDArray[np.object_]:
        """(n,) product keys, prefixed by "<source>:" when there are several sources."""
        keys = self.column("product").astype(object)
        if len(self.sources) > 1:
            names = [source.name for source in self.sources]
            keys = np.array([f"{names[s]}:{k}" for s, k in zip(self.column("source"), keys, strict=True)], dtype=object)
        return keys

    def photographs(self) -> Ints:
        """(n,) int64, equal for rows of one image file: boxes of one photograph."""
        named = pc.binary_join_element_wise(self.table["source"].cast(pa.string()), self.table["path"], ":")
        return np.asarray(named.combine_chunks().dictionary_encode().indices).astype(np.int64)

    def file(self, row: int) -> Path:
        """The image file of a row. Raises UserError when the path would leave the source's root."""
        source = self.sources[self.table.column("source")[row].as_py()]
        return inside(source.root, self.table.column("path")[row].as_py())

    def passed_json(self) -> list[PassedOverJson]:
        """The list `passed_over` of a command's JSON."""
        return [one.as_json() for one in self.passed_over]

    def files(self) -> list[Path]:
        """The image file of every row."""
        roots = [source.root for source in self.sources]
        return [
            inside(roots[s], path)
            for s, path in zip(self.table.column("source").to_pylist(), self.table.column("path").to_pylist(), strict=True)
        ]

    @property
    def roots(self) -> list[str]:
        """The absolute folder of every source."""
        return [str(source.root.absolute()) for source in self.sources]

    def located(self) -> Iterator[tuple[str, str]]:
        """Of every row, the root of its source and the path below it: text, which is quicker than `files` for millions."""
        roots = self.roots
        for source, path in zip(*(self.table.column(name).to_pylist() for name in ("source", "path")), strict=True):
            yield roots[source], as_name(path)

    def boxes(self) -> list[Box | None]:
        """The box of every row, x, y, w, h in pixels, or None for the whole image; with the image's size where the records tell it."""
        if self.table.column("box").null_count == len(self):
            return [None] * len(self)
        columns = (self.table.column(name).to_pylist() for name in ("box", "width", "height"))
        return [_box(*row) for row in zip(*columns, strict=True)]

    def write(self, path: Path, place: Path | None = None) -> None:
        """Write the Parquet file, whole or not at all. place: where it will stand, if not at `path`."""
        with replacing(Path(path)) as temporary, pq.ParquetWriter(temporary, SCHEMA, **PARQUET) as writer:
            writer.write_table(self.table)
            writer.add_key_value_metadata(self.metadata(Path(place or path)))

    def metadata(self, path: Path) -> dict[bytes, bytes]:
        """What the catalog file at `path` carries beside the table, as Parquet key-value metadata.

        Roots are kept as they are and as seen from the file, so that a folder can move together with its catalog.
        """
        described = {
            "version": VERSION,
            "classes": [[[c.id, c.name, c.parent] for c in level] for level in self.classes],
            "sources": [
                {
                    "name": s.name,
                    "kind": s.kind,
                    "root": as_text(str(s.root)),
                    "relative": as_text(relative_to(s.root, path.parent)),
                    "synthetic": s.synthetic,
                }
                for s in self.sources
            ],
            "default_level": self.default_level,
            "notes": list(self.notes),
            "passed_over": self.passed_json(),
        }
        return {METADATA_KEY: json.dumps(described, ensure_ascii=False).encode()}

    @classmethod
    def read(cls, path: Path) -> Catalog:
        """Read a catalog file. Raises UserError when it is not one, is broken, or is of a newer version."""
        try:
            with pq.ParquetFile(path) as file:
                table, metadata = file.read(), file.metadata.metadata or {}
        except FileNotFoundError:
            raise UserError("there is no such catalog", path, f"Make one: {BUILDING}") from None
        except (pa.ArrowInvalid, OSError) as error:
            raise UserError(f"not a readable Parquet file ({error})", path, "Build the catalog again") from None
        described = json.loads(metadata.get(METADATA_KEY, b"{}"))
        if "version" not in described:
            raise UserError(
                "a Parquet file, but not a catalog",
                path,
                f"Make one: {BUILDING}",
            )
        if described["version"] > VERSION:
            raise UserError(f"written by a newer version ({described['version']} > {VERSION})", path, "Update the package")
        if described["version"] < VERSION:
            raise UserError(f"written by an older version ({described['version']} < {VERSION})", path, "Build the catalog again")
        try:
            table = table.cast(SCHEMA)
        except (pa.ArrowInvalid, ValueError) as error:
            raise UserError(f"its columns are not a catalog's ({error})", path, "Build the catalog again") from None
        first, second, third = (tuple(ClassName(*entry) for entry in level) for level in described["classes"])
        roots = [_root(Path(path), source) for source in described["sources"]]
        sources = tuple(Source(s["name"], s["kind"], root, s["synthetic"]) for s, root in zip(described["sources"], roots, strict=True))
        passed = tuple(PassedOver(one["reason"], one["count"], tuple(one["examples"])) for one in described["passed_over"])
        return cls(table, (first, second, third), sources, described["default_level"], tuple(described["notes"]), passed)


def _box(box: list[float] | None, width: int | None, height: int | None) -> Box | None:
    if box is None:
        return None
    x, y, w, h = box
    return DrawnBox((x, y, w, h), (width, height)) if width and height else (x, y, w, h)


CLIMBS = re.compile(r"(?:^|[/\\])\.\.(?:[/\\]|$)|\x00")  # a path that climbs out of its folder
LEAVES = re.compile(rf"{CLIMBS.pattern}|^[/\\]|^[A-Za-z]:(?:[/\\]|$)")  # … or is absolute


def inside(root: Path, relative: str) -> Path:
    """`root / relative`, refused when it is absolute or climbs out of the root."""
    if LEAVES.search(relative):
        raise UserError(f"the image path {relative!r} leaves the folder", root, "Mend the record; paths are relative to the root")
    return root / as_name(relative)


def relative_to(root: Path, folder: Path) -> str:
    """`root` as seen from `folder`, with / and .. where needed; "" on another drive."""
    try:
        return Path(os.path.relpath(root.resolve(), folder.resolve())).as_posix()
    except ValueError:
        return ""


def _root(catalog: Path, source: dict[str, str]) -> Path:
    """Where a source's images are: at the path written down, or, when that is gone, at the same place seen from the catalog."""
    root, relative = Path(as_name(source["root"])), as_name(source.get("relative") or "")
    if relative and not root.is_dir() and (catalog.parent / relative).is_dir():
        return Path(catalog.parent / relative).resolve()
    return root


def build(columns: dict[str, Sequence[Any]], **described: Any) -> Catalog:
    """A catalog from plain columns; those left out are null (`split` "", `source` 0, classes -1). Keywords as in Catalog."""
    n = len(columns["path"])
    unknown = set(columns) - set(SCHEMA.names)
    assert not unknown, f"unknown columns {unknown}"
    empty: dict[str, str | int] = {"split": "", "source": 0, "class_1": -1, "class_2": -1, "class_3": -1}
    arrays = [pa.array(columns.get(f.name, [empty.get(f.name)] * n), type=f.type) for f in SCHEMA]
    return Catalog(pa.Table.from_arrays(arrays, schema=SCHEMA), **described)
