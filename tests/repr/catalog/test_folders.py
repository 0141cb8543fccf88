"""Class folders of one, two and three levels, with and without split folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from repr.catalog import folders
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
