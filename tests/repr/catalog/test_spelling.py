"""Paths as records spell them, against the files that are there."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from repr.catalog import listing
from repr.catalog.passed import Tally
from repr.catalog.spelling import Spelling, settled
from repr.errors import UserError


def files(root: Path, *paths: str) -> Spelling:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"")
    return Spelling(root)


@pytest.mark.parametrize(
    "recorded",
    [
        "a/b/1.jpg",
        "a\\b\\1.jpg",
        "./a/b/1.jpg",
        "a//b/./1.jpg",
        "A/b/1.JPG",
        "a/b/1.jpg ",
        "shop/a/b/1.jpg",
        "/mnt/data/shop/a/b/1.jpg",
        "C:\\data\\shop\\a\\b\\1.jpg",
    ],
)
def test_the_file_is_found_by_its_own_name(tmp_path: Path, recorded: str) -> None:
    found = files(tmp_path / "shop", "a/b/1.jpg", "a/2.jpg")
    assert found.find(recorded) == "a/b/1.jpg"
    assert found.respelled == (recorded != "a/b/1.jpg")
    assert bool(found.notes()) == (recorded != "a/b/1.jpg")


@pytest.mark.parametrize("recorded", ["a/9.jpg", "b/1.jpg", "other/a/1.jpg", "1.jpg", "/elsewhere/9.jpg", "a/1.jpg/2.jpg"])
def test_nothing_is_found_that_is_not_meant(tmp_path: Path, recorded: str) -> None:
    assert files(tmp_path / "shop", "a/1.jpg").find(recorded) is None


def test_letters_composed_otherwise(tmp_path: Path) -> None:
    own = unicodedata.normalize("NFD", "crème/müsli.jpg")
    found = files(tmp_path, own)
    assert found.find(unicodedata.normalize("NFC", own)) == own
    assert "\\u" in found.notes()[0]  # else both would look the same


def test_of_two_names_that_differ_in_capitals_the_exact_one_or_none(tmp_path: Path) -> None:
    found = files(tmp_path, "a.jpg", "A.jpg")
    assert found.find("a.jpg") == "a.jpg" and found.find("A.jpg") == "A.jpg"
    assert found.find("a.JPG") is None


def test_a_folder_really_called_as_the_one_above(tmp_path: Path) -> None:
    assert files(tmp_path / "shop", "shop/1.jpg", "1.jpg").find("shop/1.jpg") == "shop/1.jpg"


@pytest.mark.parametrize(("path", "words"), [("../x.jpg", "leaves"), ("a\\..\\..\\x.jpg", "leaves"), ("/x/y.jpg", "is absolute")])
def test_paths_that_lead_out_are_refused_with_their_place(tmp_path: Path, path: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        settled(files(tmp_path, "a/1.jpg"), path, "list.csv, row 7")
    assert caught.value.where == "list.csv, row 7"


def test_what_is_missing_keeps_its_own_path(tmp_path: Path) -> None:
    assert settled(Spelling(tmp_path / "nowhere"), "a\\1.jpg", "row 1") == "a/1.jpg"


@pytest.fixture
def closed_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders named `shut` are there and may not be listed."""
    real = Path.iterdir

    def _listed(folder: Path) -> Iterator[Path]:
        if folder.name == "shut":
            raise PermissionError(13, "Permission denied", str(folder))
        return real(folder)

    monkeypatch.setattr(Path, "iterdir", _listed)


@pytest.mark.usefixtures("closed_folder")
def test_a_folder_that_cannot_be_listed_is_counted_with_the_reason(tmp_path: Path) -> None:
    found, passed = files(tmp_path, "a/1.jpg", "shut/1.jpg"), Tally()
    assert found.find("a/1.jpg") == "a/1.jpg" and found.find("shut/1.jpg") is None and found.find("none/1.jpg") is None
    found.count_closed(passed, "images/")
    assert [(one.reason, one.examples) for one in passed.list()] == [
        ("folders that cannot be opened (permission denied)", ("images/shut/",))
    ]


@pytest.mark.usefixtures("closed_folder")
def test_a_list_of_images_tells_of_such_a_folder(tmp_path: Path) -> None:
    files(tmp_path, "a/1.jpg", "shut/1.jpg")
    (tmp_path / "list.csv").write_text("image,product\na/1.jpg,tea\nshut/1.jpg,jam\n")
    catalog = listing.read(tmp_path / "list.csv")
    assert [(one.count, one.examples) for one in catalog.passed_over] == [(1, ("shut/",))]
