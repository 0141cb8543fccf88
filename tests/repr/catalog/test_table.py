"""The table: labels, product keys, and the file it is kept in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from repr.catalog.table import Catalog, ClassName, Source, build, inside
from repr.errors import UserError

FIRST = (ClassName("1", "food"), ClassName("2", "tools"))
SECOND = (ClassName("7", "tea", 0), ClassName("8", "jam", 0), ClassName("9", "tea", 1))
THIRD = (ClassName("600", "green", 0), ClassName("601", "black", 0))


def catalog(root: Path = Path("/shop")) -> Catalog:
    columns = {
        "path": ["a.jpg", "b.jpg", "c.jpg", "d.jpg"],
        "product": ["10", "9", "9", "100"],
        "class_1": [0, 0, 1, -1],
        "class_2": [0, 0, 2, -1],
        "class_3": [1, -1, -1, -1],
        "split": ["train", "test", "train", "val"],
        "box": [None, (1.0, 2.0, 3.0, 4.5), None, None],
    }
    return build(columns, classes=(FIRST, SECOND, THIRD), sources=(Source("shop", "mep3m", root),), notes=("a note",))


def test_labels_are_dense_over_what_occurs_and_name_twins_by_id() -> None:
    labels, names = catalog().labels(2)
    assert labels.tolist() == [0, 0, 1, -1]
    assert names == ("tea (7)", "tea (9)")


def test_level_three_falls_back_to_the_sub_class() -> None:
    labels, names = catalog().labels(3)
    assert names == ("black", "tea (7)", "tea (9)")
    assert labels.tolist() == [0, 1, 2, -1]


def test_no_labels_on_a_level() -> None:
    with pytest.raises(UserError, match="no labels on level 3"):
        build({"path": ["a"], "product": ["a"]}, classes=(FIRST, (), ()), sources=(Source("s", "csv", Path("/")),)).labels(3)


def test_products_are_in_numeric_order() -> None:
    labels, products = catalog().product_labels()
    assert products == ("9", "10", "100")
    assert labels.tolist() == [1, 0, 0, 2]


@pytest.mark.parametrize(
    ("products", "expected"),
    [(["10", "9", f"2{'0' * 30}"], ["9", "10", f"2{'0' * 30}"]), (["②", "①", "10"], ["10", "①", "②"])],
)
def test_products_of_any_digits_are_in_order(products: list[str], expected: list[str]) -> None:
    """Longer than 64 bits; digits that are no decimal numbers."""
    columns = {"path": [f"{i}.jpg" for i in range(3)], "product": products}
    labels, found = build(columns, classes=((), (), ()), sources=(Source("s", "csv", Path("/")),)).product_labels()
    assert list(found) == expected and [found[label] for label in labels] == products


def test_boxes_of_one_file_are_one_photograph() -> None:
    columns = {"path": ["a.jpg", "b.jpg", "a.jpg", "a.jpg"], "product": list("1234"), "source": [0, 0, 0, 1]}
    sources = (Source("s", "csv", Path("/s")), Source("t", "csv", Path("/t")))
    one, two, again, elsewhere = build(columns, classes=((), (), ()), sources=sources).photographs()
    assert one == again and len({one, two, elsewhere}) == 3


def test_select_and_split() -> None:
    part = catalog().in_split("train")
    assert part.column("path").tolist() == ["a.jpg", "c.jpg"]
    assert catalog().select(np.array([3, 0])).column("path").tolist() == ["d.jpg", "a.jpg"]
    assert catalog().boxes()[1] == (1.0, 2.0, 3.0, 4.5)


def test_written_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "c.parquet"
    catalog().write(path)
    back = Catalog.read(path)
    assert back.table.equals(catalog().table)
    assert (back.classes, back.sources, back.default_level, back.notes) == ((FIRST, SECOND, THIRD), catalog().sources, 2, ("a note",))


def test_a_folder_moves_together_with_its_catalog(tmp_path: Path) -> None:
    (tmp_path / "old" / "shop").mkdir(parents=True)
    catalog(tmp_path / "old" / "shop").write(tmp_path / "old" / "c.parquet")
    (tmp_path / "old").rename(tmp_path / "new")
    assert Catalog.read(tmp_path / "new" / "c.parquet").sources[0].root == tmp_path / "new" / "shop"


def test_what_is_no_catalog(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such catalog"):
        Catalog.read(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(UserError, match="not a readable Parquet"):
        Catalog.read(tmp_path / "text.parquet")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(UserError, match="not a catalog"):
        Catalog.read(tmp_path / "other.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "other.parquet").read_bytes()[:-9])
    with pytest.raises(UserError, match="not a readable Parquet"):
        Catalog.read(tmp_path / "cut.parquet")


def test_a_catalog_that_lost_a_column_is_told(tmp_path: Path) -> None:
    catalog().write(tmp_path / "c.parquet")
    with pq.ParquetFile(tmp_path / "c.parquet") as file:
        metadata, table = file.metadata.metadata, file.read().drop_columns(["title"])
    pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "c.parquet")
    with pytest.raises(UserError, match="columns are not a catalog's"):
        Catalog.read(tmp_path / "c.parquet")


def test_a_newer_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("repr.catalog.table.VERSION", 99)
        catalog().write(tmp_path / "c.parquet")
    with pytest.raises(UserError, match="newer version"):
        Catalog.read(tmp_path / "c.parquet")


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/x", "\\x", "a\\..\\x", "C:\\x", "a/\x00"])
def test_paths_that_leave(path: str) -> None:
    with pytest.raises(UserError, match="leaves the folder"):
        inside(Path("/shop"), path)


@pytest.mark.parametrize("path", ["x", "a/..b/x", "a/x..jpg", "商品/1.jpg"])
def test_paths_that_stay(path: str) -> None:
    assert inside(Path("/shop"), path) == Path("/shop") / path
