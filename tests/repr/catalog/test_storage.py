"""Bytes of image files, against the files themselves."""

from __future__ import annotations

from pathlib import Path

from repr.catalog import folders
from repr.catalog.storage import storage
from repr.catalog.table import Source, build


def test_every_file_counts_once_and_missing_ones_apart(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x" * 1500)
    (tmp_path / "b.png").write_bytes(b"x" * 500)
    paths = ["a.jpg", "a.jpg", "b.png", "c.jpg", "d\x00.jpg"]  # two boxes of one photograph; a name that no file can have
    catalog = build({"path": paths, "product": paths}, classes=((), (), ()), sources=(Source("s", "rpc", tmp_path),))
    found = storage(catalog)
    assert (found.files, found.bytes, found.missing) == (2, 2000, 2)
    assert found.line() == "storage: 0.0 MB in 2 image files, 1.0 kB each on average; 2 more are not there"


def test_of_real_images(shared: Path) -> None:
    files = list((shared / "freiburg").rglob("*.jpg"))
    found = storage(folders.read(shared / "freiburg"))
    assert (found.files, found.bytes, found.missing) == (len(files), sum(file.stat().st_size for file in files), 0)
