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
