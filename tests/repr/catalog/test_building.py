"""One catalog file from any source."""

from __future__ import annotations

from pathlib import Path

import pytest

from repr.catalog.building import build_catalog
from repr.catalog.table import Catalog
from repr.errors import UserError


def test_from_annotations_with_a_class_table(shared: Path, tmp_path: Path) -> None:
    mep = shared / "mep3m"
    built = build_catalog(None, annotations=mep / "annotations-1k.json", info=mep / "dataset_info.xlsx", out=tmp_path / "c.parquet")
    assert set(built.as_json()) == {"records", "quarantined", "seconds", "peak_mb", "catalog", "passed_over"}
    assert (built.records, built.quarantined) == (1000, 0)
    assert 20 < built.peak_mb < 20_000
    assert [len(level) for level in Catalog.read(built.catalog).classes] == [14, 599, 89]


@pytest.mark.parametrize(("name", "rows"), [("grocery", 5421), ("freiburg", 4947), ("fashion", 20_000)])
def test_from_folders(shared: Path, tmp_path: Path, name: str, rows: int) -> None:
    built = build_catalog(shared / name, out=tmp_path / "c.parquet")
    assert built.records == rows == len(Catalog.read(built.catalog))


def test_refusals(shared: Path, tmp_path: Path) -> None:
    mep = shared / "mep3m"
    with pytest.raises(UserError, match="both"):
        build_catalog(mep, annotations=mep / "annotations-1k.json", out=tmp_path / "c.parquet")
    with pytest.raises(UserError, match="is a folder"):
        build_catalog(mep, out=tmp_path)
    with pytest.raises(UserError, match="info"):
        build_catalog(shared / "grocery", info=mep / "dataset_info.xlsx", out=tmp_path / "c.parquet")
    with pytest.raises(UserError, match="no such file"):
        build_catalog(None, annotations=tmp_path / "none.json", out=tmp_path / "c.parquet")
    with pytest.raises(UserError, match="is a folder, not a file"):
        build_catalog(None, annotations=mep, out=tmp_path / "c.parquet")
    assert list(tmp_path.iterdir()) == []
    copy = tmp_path / "annotation.json"
    copy.write_bytes((mep / "annotations-1k.json").read_bytes())
    for root, named in ((tmp_path, None), (None, copy)):
        with pytest.raises(UserError, match="would lose it"):
            build_catalog(root, annotations=named, out=copy)
    assert copy.stat().st_size == (mep / "annotations-1k.json").stat().st_size
