"""Both layouts of the Rakuten challenge."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from repr.catalog import rakuten, sources
from repr.catalog.table import Catalog
from repr.errors import UserError

Write = Callable[..., Path]


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory, write_rakuten: Write, offers: Sequence[object]) -> dict[str, Path]:
    return {layout: write_rakuten(tmp_path_factory.mktemp(layout), layout, offers) for layout in ("sigir", "ens")}


def test_both_layouts_read_to_the_same_catalog(roots: dict[str, Path]) -> None:
    sigir, ens = (sources.read_source(root) for root in roots.values())
    assert sigir.table.equals(ens.table)
    assert sigir.classes == ens.classes
    assert [entry.name for entry in sigir.classes[0]] == ["10", "1281", "2280", "2583"]
    assert sigir.default_level == 1 and sigir.sources[0].kind == "rakuten"
    assert sigir.files()[3].is_file()
    assert sigir.notes == () and sigir.passed_over == ()


def test_ids_beyond_32_bits_and_plain_texts(roots: dict[str, Path]) -> None:
    catalog = sources.read_source(roots["ens"])
    assert catalog.table["path"][1].as_py() == "images/image_train/image_5000000001_product_3000000007.jpg"
    texts = [*catalog.table["title"].to_pylist(), *filter(None, catalog.table["description"].to_pylist())]
    assert not [text for text in texts if "&#" in text or "<" in text or "&eacute" in text]
    missing = [text is None for text in catalog.table["description"].to_pylist()]
    assert missing == [n % 5 == 0 or n % 7 == 0 for n in range(120)]


def test_a_file_by_itself_and_a_part_without_classes(
    roots: dict[str, Path], tmp_path: Path, write_rakuten: Write, offers: Sequence[object]
) -> None:
    root = write_rakuten(tmp_path, "ens", offers[:20])
    write_rakuten(tmp_path, "ens", offers[20:30], part="test")
    both = sources.read_source(root)
    assert sorted(set(both.column("split"))) == ["test", "train"] and len(both) == 30
    (root / "Y_test_CVw08PX.csv").unlink()
    alone = sources.read_source(root)
    assert len(alone) == 20 and set(alone.column("split")) == {""}
    assert [(one.count, one.examples) for one in alone.passed_over] == [(10, ("test",))]
    test = sources.read_source(root / "X_test_update.csv")
    assert len(test) == 10 and set(test.column("class_1")) == {-1} and test.files()[0].is_file()


def test_recognised_like_every_other_layout(roots: dict[str, Path]) -> None:
    assert {sources.kind_of(root) for root in roots.values()} == {"rakuten"}
    assert sources.kind_of(roots["sigir"] / "X_train.tsv") == "rakuten"


@pytest.mark.parametrize("split", ["random", "stratified", "grouped"])
def test_nine_to_one(roots: dict[str, Path], split: str) -> None:
    catalog = sources.open_data([roots["ens"]], split=split)
    test = catalog.column("split") == "test"
    assert test.sum() == pytest.approx(12, abs=0 if split != "grouped" else 4)
    if split == "stratified":
        assert np.bincount(catalog.column("class_1")[test]).tolist() == [3, 3, 3, 3]


def test_a_missing_image_is_said_and_its_product_stays(tmp_path: Path, write_rakuten: Write, offers: Sequence[object]) -> None:
    root = write_rakuten(tmp_path, "sigir", [offers[0]._replace(image=None), *offers[1:4]])  # type: ignore[attr-defined]
    catalog = rakuten.read(root)
    assert len(catalog) == 4
    assert catalog.notes == ("1 of 4 products have no image, such as images/image_train/image_5000000000_product_3000000000.jpg",)


def test_a_product_listed_twice_counts_once(tmp_path: Path, write_rakuten: Write, offers: Sequence[object]) -> None:
    root = write_rakuten(tmp_path, "sigir", offers[:4])
    for name in ("X_train.tsv", "Y_train.tsv"):
        lines = (root / name).read_text(encoding="utf-8").splitlines()
        (root / name).write_text("\n".join([*lines, lines[1]]), encoding="utf-8")
    catalog = rakuten.read(root)
    assert len(catalog) == 4 and catalog.passed_over[0].count == 1


X, Y = "X_train_update.csv", "Y_train_CVw08PX.csv"


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        (X, ",designation", ",name", "no column title or designation .*The columns are Integer_id, Title"),
        (X, ",designation", ",productid", "'productid' stands twice.*designation, description, productid, imageid"),
        (X, "designation", "Image_id", "no column title|imageid"),
        (X, "5000000001", "5000000001.0", "row 3: the image '5000000001.0' is no integer"),
        (X, "5000000001", "99999999999999999999", "no integer of 64 bits"),
        (Y, "\r\n2,", "\r\n77,", "no label with the index 2"),
        (Y, ",10\r\n", ",dix\r\n", "the class code 'dix' is no integer"),
        (Y, "prdtypecode", "code", "no column prdtypecode .*Prdtypecode"),
    ],
)
def test_bad_input(tmp_path: Path, write_rakuten: Write, offers: Sequence[object], file: str, old: str, new: str, words: str) -> None:
    root = write_rakuten(tmp_path, "ens", offers[:6])
    text = (root / file).read_bytes().decode()
    assert old in text
    (root / file).write_bytes(text.replace(old, new, 1).encode())
    with pytest.raises(UserError, match=words):
        sources.read_source(root)


def test_labels_of_one_index_twice_are_refused(tmp_path: Path, write_rakuten: Write, offers: Sequence[object]) -> None:
    """Two tables laid one below the other keep their own numbers: by these, the first would get the second's classes."""
    root = write_rakuten(tmp_path, "ens", offers[:6])
    header, *rows = (root / Y).read_text(encoding="utf-8").splitlines()
    (root / Y).write_text("\n".join([header, *(f"{n % 3},{row.partition(',')[2]}" for n, row in enumerate(rows))]), encoding="utf-8")
    with pytest.raises(UserError, match="a second label with the index 0"):
        sources.read_source(root)


def test_other_numbers_of_labels(tmp_path: Path, write_rakuten: Write, offers: Sequence[object]) -> None:
    root = write_rakuten(tmp_path, "sigir", offers[:6])
    (root / "Y_train.tsv").write_text("Prdtypecode\n10\n", encoding="utf-8")
    with pytest.raises(UserError, match="1 labels for 6 products"):
        sources.read_source(root)


def test_real_products_in_both_layouts(shared: Path, tmp_path: Path, write_rakuten: Write, offers: Sequence[object]) -> None:
    """Fashion's first records of every class, as the challenge has them."""
    records = json.loads((shared / "fashion" / "annotation.json").read_text(encoding="utf-8"))[::400]
    kind = type(offers[0])
    real = [kind(r["title"], "", shared / "fashion" / r["img_path"], int(r["sub_class_id"])) for r in records]
    made = [rakuten.read(write_rakuten(tmp_path / layout, layout, real)) for layout in ("sigir", "ens")]
    assert made[0].table.equals(made[1].table) and made[0].classes == made[1].classes
    assert made[0].table["title"].to_pylist() == [" ".join(r["title"].split()) for r in records]


def test_a_description_is_kept_in_a_catalog_file(roots: dict[str, Path], tmp_path: Path) -> None:
    catalog = rakuten.read(roots["sigir"])
    catalog.write(tmp_path / "c.parquet")
    assert Catalog.read(tmp_path / "c.parquet").table.equals(catalog.table)
