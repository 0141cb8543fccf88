"""The tables of index.db, and what stands in them as Python sees it."""

from __future__ import annotations

from dataclasses import dataclass

from repr.arrays import Floats

NEXT_FEATURES = """CREATE TABLE next_features (
  image INTEGER PRIMARY KEY REFERENCES images (id) ON DELETE CASCADE, numbers BLOB NOT NULL
) STRICT"""
LEARNER, ENCODER = "learner.safetensors", "encoder.onnx"  # beside index.db; can be deleted at any time
SCHEMA = f"""
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE products (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, name TEXT, barcode TEXT,
  category TEXT NOT NULL DEFAULT '[]', added TEXT NOT NULL
) STRICT;
CREATE TABLE images (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  product INTEGER NOT NULL REFERENCES products (number) ON DELETE CASCADE,
  path TEXT NOT NULL, box TEXT, content BLOB NOT NULL, added TEXT NOT NULL, who TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX same_image ON images (content, product, ifnull(box, ''));
CREATE INDEX images_of_product ON images (product);
CREATE INDEX images_at_path ON images (path);
CREATE TABLE features (
  image INTEGER PRIMARY KEY REFERENCES images (id) ON DELETE CASCADE, numbers BLOB NOT NULL
) STRICT;
{NEXT_FEATURES};
CREATE TABLE removed (image INTEGER PRIMARY KEY, revision INTEGER NOT NULL) STRICT;
CREATE INDEX removed_at ON removed (revision);
CREATE TABLE log (revision INTEGER PRIMARY KEY, at TEXT NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL) STRICT;
"""


@dataclass(frozen=True)
class Product:
    """A product as stored. id: any text but the empty one. category: names from the top down."""

    id: str
    name: str | None = None
    barcode: str | None = None
    category: tuple[str, ...] = ()


@dataclass(frozen=True)
class StoredImage:
    """An image as stored.

    path: relative to the root of the index's images, with /. content: SHA-256 of the file. box: x, y, w, h in pixels of the upright file.
    """

    id: int
    product: str
    path: str
    content: bytes
    box: tuple[float, ...] | None = None


@dataclass(frozen=True)
class NewImage:
    """An image to store: as `StoredImage`, with its features (d,) float32 as the encoder gave them."""

    product: str
    path: str
    content: bytes
    features: Floats
    box: tuple[float, ...] | None = None
