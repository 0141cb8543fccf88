"""Class folders of one, two and three levels, with and without split folders."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repr.catalog import folders
from repr.catalog.table import Catalog
from repr.errors import UserError


def tree(root: Path, *files: str) -> Path:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"")
    return root


def test_one_level(tmp_path: Path) -> None:
    catalog = folders.read(tree(tmp_path, "b/10.jpg", "b/2.JPG", "a/1.png", "a/notes.txt", "a/.hidden.jpg", ".git/x/1.jpg", "README.jpg"))
    assert catalog.table["path"].to_pylist() == ["a/1.png", "b/2.JPG", "b/10.jpg"]
    assert catalog.table["product"].to_pylist() == ["a", "b", "b"]
    assert catalog.default_level == 1
    assert catalog.labels()[1] == ("a", "b")
    assert set(catalog.column("split")) == {""}


def test_digits_that_are_no_decimal_numbers(tmp_path: Path) -> None:
    assert folders.read(tree(tmp_path, "款式②/1.jpg", "款式①/1.jpg", "x²/1.jpg")).labels()[1] == ("x²", "款式①", "款式②")


def test_nested(tmp_path: Path) -> None:
    catalog = folders.read(tree(tmp_path, "food/tea/1.jpg", "food/jam/1.jpg", "tools/tea/1.jpg"))
    assert catalog.default_level == 2
    assert catalog.table["product"].to_pylist() == ["food/jam", "food/tea", "tools/tea"]
    assert catalog.labels(1)[1] == ("food", "tools")
    assert catalog.labels(2)[1] == ("jam", "tea (food/tea)", "tea (tools/tea)")
    assert [entry.parent for entry in catalog.classes[1]] == [0, 0, 1]


def test_a_stray_folder_in_one_class_leaves_the_others_theirs(tmp_path: Path) -> None:
    catalog = folders.read(tree(tmp_path, "tea/1.jpg", "tea/2.jpg", "jam/1.jpg", "jam/2.jpg", "jam/old/3.jpg"))
    labels, names = catalog.labels()
    assert names == ("jam", "tea") and (labels >= 0).all()
    assert catalog.notes == ("1 images lie deeper, such as in jam/old; classes are those of level 1",)
    assert len(catalog.product_labels()[1]) == 3


def test_images_above_the_deepest_level_are_noted(tmp_path: Path) -> None:
    catalog = folders.read(tree(tmp_path, "a/x/1.jpg", "b/1.jpg"))
    assert catalog.column("class_2").tolist() == [0, -1]
    assert "1 images" in catalog.notes[0]


def test_split_folders(tmp_path: Path) -> None:
    catalog = folders.read(tree(tmp_path, "train/a/1.jpg", "train/b/1.jpg", "valid/a/2.jpg", "test/b/3.jpg"))
    assert sorted(zip(catalog.column("product"), catalog.column("split"), strict=True)) == [
        ("a", "train"),
        ("a", "val"),
        ("b", "test"),
        ("b", "train"),
    ]


def test_linked_folders_are_followed_and_loops_end(tmp_path: Path) -> None:
    tree(tmp_path / "elsewhere", "tea/1.jpg")
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "tea").symlink_to(tmp_path / "elsewhere" / "tea")
    assert folders.read(tmp_path / "shop").table["path"].to_pylist() == ["tea/1.jpg"]
    (tmp_path / "elsewhere" / "tea" / "loop").symlink_to(tmp_path / "elsewhere")
    looped = folders.read(tmp_path / "shop")
    assert looped.table["path"].to_pylist() == ["tea/1.jpg"]
    assert [(one.reason, one.examples) for one in looped.passed_over] == [("links back to a folder above them", ("tea/loop/tea/",))]


def test_freiburg(shared: Path) -> None:
    catalog = folders.read(shared / "freiburg")
    assert (len(catalog), len(catalog.labels()[1]), catalog.default_level) == (4947, 25, 1)


@pytest.mark.parametrize("files", [(), ("1.jpg",), ("a/notes.txt",)])
def test_no_classes(tmp_path: Path, files: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="no data that can be read"):
        folders.read(tree(tmp_path, *files))


def test_too_deep(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nest 4 deep: a/b/c/d/1\.jpg"):
        folders.read(tree(tmp_path, "a/b/c/d/1.jpg"))


def passed(catalog: Catalog) -> dict[str, tuple[int, tuple[str, ...]]]:
    return {one.reason: (one.count, one.examples) for one in catalog.passed_over}


@pytest.mark.parametrize(
    ("name", "kind"), [("1.jfif", "JPEG"), ("1.jpe", "JPEG"), ("1", "PNG"), ("1.dat", "WEBP"), ("1.jp2", "JPEG2000"), ("x.ppm", "PPM")]
)
def test_images_are_told_by_content(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / "tea").mkdir()
    Image.new("RGB", (16, 16), "green").save(tmp_path / "tea" / name, kind)
    catalog = folders.read(tmp_path)
    assert catalog.table["path"].to_pylist() == [f"tea/{name}"] and not catalog.passed_over


def test_what_is_not_read_is_counted_by_reason(tmp_path: Path) -> None:
    tree(
        tmp_path,
        "tea/1.jpg",
        "tea/@eaDir/1.jpg/SYNOFILE_THUMB_M.jpg",
        "tea/@eaDir/1.jpg/SYNOFILE_THUMB_S.jpg",
        "tea/Thumbs.db",
        "tea/._1.jpg",
    )
    tree(tmp_path, "loose.jpg", "__MACOSX/tea/1.jpg", "soup/menu.pdf")
    (tmp_path / "soup" / "menu.pdf").write_bytes(b"%PDF-1.7 nothing to see")
    (tmp_path / "jam").mkdir()
    (tmp_path / "nuts").mkdir()
    (tmp_path / "nuts" / "1.cr3").write_bytes(b"\0\0\0\x18ftypcrx \0\0\0\0" + bytes(64))
    (tmp_path / "nuts" / "2.xyz").write_bytes(b"")
    assert passed(folders.read(tmp_path)) == {
        "hidden files, and what systems and file servers put beside images": (
            5,
            ("__MACOSX", "tea/._1.jpg", "tea/@eaDir", "tea/Thumbs.db"),
        ),
        "empty folders": (1, ("jam/",)),
        "crx files that cannot be read here (convert them to JPEG)": (1, ("nuts/1.cr3",)),
        "empty files": (1, ("nuts/2.xyz",)),
        "not images": (1, ("soup/menu.pdf",)),
        "folders without an image that can be read": (2, ("nuts/", "soup/")),
        "images in no class folder": (1, ("loose.jpg",)),
    }


def test_a_folder_that_cannot_be_opened_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, "tea/1.jpg", "jam/1.jpg")
    listed = Path.iterdir

    def refusing(folder: Path) -> object:
        if folder.name == "jam":
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", refusing)
    assert passed(folders.read(tmp_path)) == {"folders that cannot be opened (permission denied)": (1, ("jam/",))}


@pytest.mark.parametrize(("train", "test"), [("Train", "Test"), ("training", "testing"), ("TRAIN", "Eval"), ("train_set", "dev")])
def test_split_folders_under_other_names(tmp_path: Path, train: str, test: str) -> None:
    catalog = folders.read(tree(tmp_path, f"{train}/tea/1.jpg", f"{train}/jam/1.jpg", f"{test}/tea/2.jpg", "unlabelled/9.jpg"))
    assert set(catalog.labels()[1]) == {"jam", "tea"} and set(catalog.column("product")) == {"jam", "tea"}
    assert catalog.column("split").tolist().count("train") == 2 and f"{train} is train" in catalog.notes[0]
    assert passed(catalog) == {f"images in the folder unlabelled beside {', '.join(sorted((test, train)))}": (1, ("unlabelled/9.jpg",))}


def test_split_folders_below_one_folder(tmp_path: Path) -> None:
    catalog = folders.read(tree(tmp_path, "shop/train/tea/1.jpg", "shop/test/tea/2.jpg"))
    assert catalog.column("product").tolist() == ["tea", "tea"] and set(catalog.column("split")) == {"train", "test"}


def test_folders_for_training_and_testing_without_classes_are_no_classes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"images in no class folder: test/1\.jpg, train/1\.jpg"):
        folders.read(tree(tmp_path, "train/1.jpg", "test/1.jpg"))


def test_the_order_is_of_the_names_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, *(f"{product}/{name}.jpg" for product in ("007", "7", "42") for name in ("1", "01", "001", "10", "é", "e\u0301")))
    expected = folders.read(tmp_path).table
    listed, rng = Path.iterdir, np.random.default_rng(0)
    for _ in range(3):
        monkeypatch.setattr(Path, "iterdir", lambda folder: iter(rng.permutation(np.array(list(listed(folder)), dtype=object)).tolist()))
        assert folders.read(tmp_path).table.equals(expected)


def test_one_product_whatever_its_letters_are_composed_of(tmp_path: Path) -> None:
    nfc, nfd = (unicodedata.normalize(form, "müsli") for form in ("NFC", "NFD"))
    catalog = folders.read(tree(tmp_path, f"{nfc}/1.jpg", f"{nfd}/2.jpg"))
    assert set(catalog.column("product")) == {nfc} and all(file.exists() for file in catalog.files())


def test_names_that_are_no_text(tmp_path: Path) -> None:
    folder = os.path.join(os.fsencode(tmp_path), b"caf\xe9")  # noqa: PTH118 - Path takes no bytes
    os.mkdir(folder)  # noqa: PTH102
    with open(os.path.join(folder, b"\xff.jpg"), "wb"):  # noqa: PTH118, PTH123
        pass
    catalog = folders.read(tmp_path)
    assert catalog.column("product").tolist() == ["bytes:caf%E9"] and catalog.file(0).exists()
    catalog.write(tmp_path / "c.parquet")
    assert Catalog.read(tmp_path / "c.parquet").files() == catalog.files()
