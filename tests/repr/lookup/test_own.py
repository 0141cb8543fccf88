"""Images that an index keeps itself: named by their content, never outside the folder, and not deleted under a copy."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from repr.errors import UserError
from repr.lookup import own


def folder(tmp_path: Path, *names: str) -> Path:
    (tmp_path / own.FOLDER).mkdir()
    for name in names:
        own.keep(tmp_path / own.FOLDER / name, name.encode())
    return tmp_path


@pytest.mark.parametrize("name", ["abc.jpg", "a b.png", "龙井.jpg", "...", "-1"])
def test_a_bare_name_lies_in_the_folder(tmp_path: Path, name: str) -> None:
    assert own.place(tmp_path, f"{own.MARK}{name}") == tmp_path / own.FOLDER / name


@pytest.mark.parametrize("path", ["shop/a.jpg", "indexes/a.jpg", "Index:a.jpg", " index:a.jpg"])
def test_paths_of_others_are_none_of_ours(tmp_path: Path, path: str) -> None:
    assert own.place(tmp_path, path) is None


@pytest.mark.parametrize("name", ["", ".", "..", "../weights.safetensors", "/etc/passwd", "a/../../b", "a\0b"])
def test_no_row_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="a stored image that is not in the index's own folder"):
        own.place(tmp_path, f"{own.MARK}{name}")


def test_what_is_there_is_not_written_again(tmp_path: Path) -> None:
    file = folder(tmp_path, "a.jpg") / own.FOLDER / "a.jpg"
    before = file.stat()
    own.keep(file, b"other")
    assert file.read_bytes() == b"a.jpg" and file.stat().st_mtime_ns == before.st_mtime_ns and file.stat().st_ino == before.st_ino


def test_files_in_their_order_halves_too(tmp_path: Path) -> None:
    assert own.files(tmp_path) == []
    place = folder(tmp_path, "b", "a") / own.FOLDER
    (place / ".half").write_bytes(b"")
    assert [file.name for file in own.files(tmp_path)] == [".half", "a", "b"]


def test_deleted_is_what_was_named_gone_or_not(tmp_path: Path) -> None:
    place = folder(tmp_path, "a", "b", "c") / own.FOLDER
    assert own.delete(tmp_path, [place / "a", place / "gone"]) == 2 and own.delete(tmp_path, []) == 0
    assert [file.name for file in own.files(tmp_path)] == ["b", "c"]


def test_nothing_is_deleted_while_somebody_copies(tmp_path: Path) -> None:
    place = folder(tmp_path, "a") / own.FOLDER
    copying, done = threading.Event(), threading.Event()

    def copy() -> None:
        with own.standing(tmp_path):
            copying.set()
            done.wait(10)

    thread = threading.Thread(target=copy)
    thread.start()
    assert copying.wait(10)
    with own.standing(tmp_path):  # two may copy at once
        assert own.delete(tmp_path, [place / "a"]) == 0 and (place / "a").is_file()
    done.set()
    thread.join(10)
    assert own.delete(tmp_path, [place / "a"]) == 1 and not (place / "a").exists()


def test_an_index_without_images_of_its_own_is_copied_too(tmp_path: Path) -> None:
    with own.standing(tmp_path):
        assert not (tmp_path / own.FOLDER).exists()
