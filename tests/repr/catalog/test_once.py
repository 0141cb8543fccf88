"""One image is one image, by what is in its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repr.catalog import folders, listing, mep3m, rpc
from repr.catalog.once import BEGINNING, equal_files, once
from repr.catalog.table import Catalog


@given(contents=st.lists(st.sampled_from([b"", b"a", b"b", b"aa", b"x" * BEGINNING + b"1", b"x" * BEGINNING + b"2"]), max_size=12))
def test_equal_files_are_those_of_equal_bytes(tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("f")
    files = [folder / str(n) for n in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    found = equal_files([*files, folder / "none"])
    assert found[-1] == -1
    for a, content in zip(found, contents, strict=False):
        assert [a == b for b in found[:-1]] == [content == other for other in contents]


def shop(root: Path, **contents: bytes) -> Catalog:
    """Class folders from product_name=content."""
    for name, content in contents.items():
        product, _, file = name.partition("_")
        (root / product).mkdir(parents=True, exist_ok=True)
        (root / product / f"{file}.jpg").write_bytes(content)
    return folders.read(root)


def test_a_copy_counts_once_and_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left = once(shop(tmp_path, tea_1=b"1", tea_2=b"2", tea_3=b"1", jam_1=b"3"))
    assert sorted(left.column("path")) == ["jam/1.jpg", "tea/1.jpg", "tea/2.jpg"]
    assert [(one.count, one.examples) for one in left.passed_over] == [(1, ("tea/3.jpg",))]
    assert "Passed over 1, images whose file is there already" in capsys.readouterr().err


def test_one_image_under_two_products_stays_and_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left = once(shop(tmp_path, tea_1=b"1", jam_1=b"1", jam_2=b"2"))
    assert len(left) == 3
    assert left.notes == ("1 images stand under several products each, such as one under jam and tea",)
    assert left.notes[0] in capsys.readouterr().err


def test_other_parts_and_other_boxes_are_other_images(tmp_path: Path) -> None:
    for part in ("train", "test"):
        shop(tmp_path / part, tea_1=b"1", tea_2=b"2")
    parts = folders.read(tmp_path)
    assert len(once(parts)) == 4 and len(once(parts, by_split=False)) == 2
    (tmp_path / "s.csv").write_text("image,product\ntrain/tea/1.jpg,tea\ntest/tea/1.jpg,tea\n")
    assert len(once(listing.read(tmp_path / "s.csv"))) == 1


def test_test_images_that_are_in_train_too_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, content in {"a": b"1", "b": b"1", "c": b"2"}.items():
        (tmp_path / f"{name}.jpg").write_bytes(content)
    rows = "image,product,split\na.jpg,tea,train\nb.jpg,tea,test\nc.jpg,tea,test\n"
    (tmp_path / "s.csv").write_text(rows, encoding="utf-8")
    left = once(listing.read(tmp_path / "s.csv"))
    note = "1 test images are in train too, byte for byte, such as b.jpg: figures on them say little"
    assert len(left) == 3 and left.notes == (note,) and note in capsys.readouterr().err
    assert len(once(listing.read(tmp_path / "s.csv"), by_split=False)) == 2


RECORD = (
    '{"class_id": "1", "class_name": "food", "sub_class_id": "%s", "sub_class_name": "%s", "subsub_class_id": "FALSE", '
    '"subsub_class_name": "FALSE", "img_path": "Images/%s", "img_resolution": [9, 9, 3], "title": "", "OCR": "FALSE"}'
)


def test_by_class_a_copy_counts_once_where_each_image_is_a_product(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """MEP-3M: two records of one photograph, and one of it in another class."""
    (tmp_path / "Images" / "1").mkdir(parents=True)
    for name in "abcd":
        (tmp_path / "Images" / "1" / f"{name}.jpg").write_bytes(b"other" if name == "d" else b"same")
    records = [("1", "tea", "1/a.jpg"), ("1", "tea", "1/b.jpg"), ("2", "jam", "1/c.jpg"), ("1", "tea", "1/d.jpg")]
    (tmp_path / "annotation.json").write_text(f"[{','.join(RECORD % record for record in records)}]")
    every = mep3m.read(tmp_path)
    left = once(every, level=2)
    assert list(left.column("path")) == ["Images/1/a.jpg", "Images/1/c.jpg", "Images/1/d.jpg"]
    assert [(one.count, one.examples) for one in left.passed_over] == [(1, ("Images/1/b.jpg",))]
    assert left.notes == ("1 images stand under several classes each, such as one under jam and tea",)
    assert len(once(every, level=1)) == 2
    assert len(once(every)) == 4, "as products, which is what an index stores, they are four"
    assert "stand under several products each, such as one under Images/1/a.jpg and Images/1/b.jpg" in capsys.readouterr().err


def test_freiburg_has_fourteen_doubles_and_grocery_none(shared: Path) -> None:
    freiburg = folders.read(shared / "freiburg")
    assert len(freiburg) - len(once(freiburg)) == 14
    grocery = rpc.read(shared / "grocery")
    assert once(grocery).table is grocery.table


def test_without_files_nothing_is_dropped(tmp_path: Path) -> None:
    data = shop(tmp_path, tea_1=b"1", tea_2=b"1")
    for file in data.files():
        file.unlink()
    assert np.array_equal(once(data).column("path"), data.column("path"))
