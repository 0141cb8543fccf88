"""One segment of an index: the vectors of one addition and the table of what they are. Written once, never changed.

segment-000001.npy      (n, d) float32, L2-normalised
segment-000001.parquet  id, product, image, box, name, barcode, content; one row a vector, same order
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from repr.arrays import Floats
from repr.errors import UserError
from repr.files import replacing

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),  # never used twice in one index
        ("product", pa.string()),
        ("image", pa.string()),  # relative to the index's root, with /
        ("box", pa.list_(pa.float32(), 4)),  # x, y, w, h in pixels; null for the whole image
        ("name", pa.string()),
        ("barcode", pa.string()),
        ("content", pa.uint64()),  # of the image's file, see images/contents.py; null where that is not known
    ]
)

REMEDY = "Build the index again"


@dataclass(frozen=True)
class Segment:
    """What the manifest says of a segment; `checksum` is the CRC-32 of the vectors' bytes."""

    number: int
    rows: int
    checksum: int

    @property
    def stem(self) -> str:
        """The beginning of its files' names."""
        return f"segment-{self.number:06d}"


def entries(
    first_id: int,
    products: Sequence[str],
    images: Sequence[str],
    *,
    boxes: Sequence[Sequence[float] | None] | None = None,
    names: Sequence[str | None] | None = None,
    barcodes: Sequence[str | None] | None = None,
    contents: Sequence[int | None] | None = None,
) -> pa.Table:
    """The table of a segment from plain columns; ids count on from `first_id`."""
    n = len(products)
    none: list[None] = [None] * n
    columns = [range(first_id, first_id + n), products, images, boxes or none, names or none, barcodes or none, contents or none]
    return pa.Table.from_arrays([pa.array(list(c), type=f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)


def write_segment(folder: Path, number: int, vectors: Floats, table: pa.Table) -> Segment:
    """Write both files of segment `number`; it counts only once the manifest names it."""
    assert len(vectors) == table.num_rows and vectors.dtype == np.float32
    vectors = np.ascontiguousarray(vectors)
    segment = Segment(number, len(vectors), zlib.crc32(vectors.data))
    with replacing(folder / f"{segment.stem}.npy") as temporary, temporary.open("wb") as stream:
        np.save(stream, vectors)
    with replacing(folder / f"{segment.stem}.parquet") as temporary:
        pq.write_table(table, temporary, compression="zstd")
    return segment


def read_vectors(folder: Path, segment: Segment, dim: int) -> Floats:
    """The vectors (n, d) of a segment, memory-mapped. Raises UserError when the file is missing, cut short or altered."""
    file = folder / f"{segment.stem}.npy"
    stored = read_array(file)
    if stored.shape != (segment.rows, dim) or stored.dtype != np.float32:
        raise UserError(f"holds {stored.dtype} {stored.shape}, expected float32 {(segment.rows, dim)}", file, REMEDY)
    vectors: Floats = stored.view(np.float32)
    if zlib.crc32(np.ascontiguousarray(vectors).data) != segment.checksum:
        raise UserError("its bytes are not those that were written (checksum)", file, REMEDY)
    return vectors


def read_entries(folder: Path, segment: Segment) -> pa.Table:
    """The table of a segment. Raises UserError when the file is missing, broken or of another length."""
    file = folder / f"{segment.stem}.parquet"
    try:
        table = pq.read_table(file).cast(SCHEMA)
    except FileNotFoundError:
        raise UserError("a part of the index is missing", file, REMEDY) from None
    except (pa.ArrowInvalid, OSError, ValueError) as error:
        raise UserError(f"not a readable Parquet file ({error})", file, REMEDY) from None
    if table.num_rows != segment.rows:
        raise UserError(f"holds {table.num_rows} rows, expected {segment.rows}", file, REMEDY)
    return table


def read_array(file: Path) -> npt.NDArray[np.generic]:
    """A .npy file, memory-mapped. Raises UserError when it is missing or cut short."""
    try:
        return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))
    except FileNotFoundError:
        raise UserError("a part of the index is missing", file, REMEDY) from None
    except (ValueError, OSError, EOFError) as error:
        raise UserError(f"a part of the index is cut short or broken ({error})", file, REMEDY) from None
