"""CSV lists of images."""

from __future__ import annotations

from pathlib import Path

import pytest

from repr.catalog import listing
from repr.errors import UserError


def csv(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def test_all_columns(tmp_path: Path) -> None:
    text = "product, image ,class,name,barcode,title,note\nP1,a\\1.jpg,tea,Green tea,0012,绿茶,x\nP2,b/2.jpg,jam,,,,\n"
    catalog = listing.read(csv(tmp_path / "shop.csv", text, "utf-8-sig"))
    assert catalog.table["path"].to_pylist() == ["a/1.jpg", "b/2.jpg"]
    assert catalog.table["name"].to_pylist() == ["Green tea", None]
    assert catalog.table["barcode"].to_pylist() == ["0012", None]
    assert catalog.table["title"].to_pylist() == ["绿茶", None]
    assert catalog.labels()[1] == ("tea", "jam")
    assert catalog.file(0) == tmp_path / "a/1.jpg"
    assert catalog.name == "shop"


def test_without_a_class_the_product_is_the_class(tmp_path: Path) -> None:
    catalog = listing.read(csv(tmp_path / "s.csv", "image,product\n1.jpg,P1\n2.jpg,P1\n3.jpg,P2\n"))
    assert catalog.labels()[0].tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("image|product\na|b\n", "s.csv", "no column 'image'"),
        ("image,sku\na,b\n", "s.csv", "no column 'product'"),
        ("image,product\n", "s.csv", "no rows"),
        ("", "s.csv", "the first line is empty"),
        ("image,product\na.jpg,1\nb.jpg,\n", "row 3", "no product"),
        ("image,product,class\na.jpg,1,\n", "row 2", "no class"),
        ("image,product\n../a.jpg,1\n", "row 2", "leaves the folder"),
        ('image,product\na.jpg,"Milk\nb.jpg,Cocoa\nc.jpg,Tea"\n', "row 2", "a line break in product"),
    ],
)
def test_bad_lists(tmp_path: Path, text: str, where: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        listing.read(csv(tmp_path / "s.csv", text))
    assert caught.value.where.endswith(where)


def test_not_utf8(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not UTF-8"):
        listing.read(csv(tmp_path / "s.csv", "image,product\n绿.jpg,1\n", "gbk"))


@pytest.mark.parametrize("mark", [";", "\t"])
def test_what_spreadsheets_part_columns_with(tmp_path: Path, mark: str) -> None:
    (tmp_path / "s.csv").write_text(f"image{mark}product{mark}title\na.jpg{mark}1{mark}tea, green\n", encoding="utf-8")
    assert listing.read(tmp_path / "s.csv").column("title").tolist() == ["tea, green"]


def images(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")


def test_a_split_column_is_used_and_others_are_named(tmp_path: Path) -> None:
    catalog = listing.read(csv(tmp_path / "s.csv", "image,product,Split,price\n1.jpg,a,Training,3\n2.jpg,b,EVAL,4\n3.jpg,b,,5\n"))
    assert catalog.column("split").tolist() == ["train", "val", ""]
    empty = "s.csv: 1 of 3 images have no split, and are neither of train, val nor test"
    assert catalog.notes == ("s.csv: not read: the columns 'price'", empty)
    with pytest.raises(UserError, match="the split 'weekday'") as caught:
        listing.read(csv(tmp_path / "s.csv", "image,product,split\n1.jpg,a,train\n2.jpg,b,weekday\n"))
    assert caught.value.where.endswith("row 3")


@pytest.mark.parametrize("name", ["picture", "file_name", "Image", "PATH"])
def test_what_others_call_the_column_of_images(tmp_path: Path, name: str) -> None:
    assert listing.read(csv(tmp_path / "s.csv", f"{name},product\n1.jpg,a\n")).column("path").tolist() == ["1.jpg"]


def test_a_row_listed_twice_is_one_image(tmp_path: Path) -> None:
    images(tmp_path, "p/1.jpg", "p/2.jpg")
    catalog = listing.read(csv(tmp_path / "s.csv", "image,product\np/1.jpg,a\np\\1.jpg,a\n./p/1.jpg, a\np/2.jpg,a\n"))
    assert catalog.column("path").tolist() == ["p/1.jpg", "p/2.jpg"]
    assert [(one.count, one.examples) for one in catalog.passed_over] == [(2, ("row 3: p/1.jpg", "row 4: p/1.jpg"))]


def test_an_image_under_two_products_stays_and_is_said(tmp_path: Path) -> None:
    catalog = listing.read(csv(tmp_path / "s.csv", "image,product\n1.jpg,tea\n1.jpg,jam\n2.jpg,jam\n"))
    assert len(catalog) == 3
    assert catalog.notes == ("1 images are listed under several products, such as 1.jpg under jam and tea",)


def test_a_linked_list_stands_where_the_link_does(tmp_path: Path) -> None:
    images(tmp_path / "shop", "1.jpg")
    (tmp_path / "blobs").mkdir()
    csv(tmp_path / "blobs" / "4af1", "image,product\n1.jpg,a\n")
    (tmp_path / "shop" / "list.csv").symlink_to(Path("..", "blobs", "4af1"))
    catalog = listing.read(tmp_path / "shop" / "list.csv")
    assert catalog.file(0) == tmp_path / "shop" / "1.jpg" and catalog.name == "list"
