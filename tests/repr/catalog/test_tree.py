"""Every image below a folder in one order, and a count of all the rest."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import pytest
from PIL import Image

from repr.catalog import tree
from repr.catalog.passed import SYSTEM, Tally
from repr.catalog.tree import images, is_system


def jpeg() -> bytes:
    """A small JPEG."""
    out = io.BytesIO()
    Image.new("RGB", (4, 4)).save(out, "JPEG")
    return out.getvalue()


def put(root: Path, *names: str, data: bytes | None = None) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(jpeg() if data is None else data)


def found(root: Path) -> tuple[list[str], dict[str, int]]:
    """The images, and how many of what else."""
    passed = Tally()
    names = ["/".join(parts) for parts in images(root, passed)]
    return names, dict(passed.counts)


@pytest.mark.parametrize("name", [".hidden", "@eaDir", "#recycle", "__MACOSX", "$RECYCLE.BIN", "Thumbs.db", "desktop.ini", ".DS_Store"])
def test_what_systems_leave_is_passed_over_and_counted(tmp_path: Path, name: str) -> None:
    assert is_system(name) and not is_system(f"my {name}")
    put(tmp_path, "a/1.jpg", f"a/{name}/thumb1.jpg", f"a/{name}/deep/thumb2.jpg")
    names, rest = found(tmp_path)
    assert names == ["a/1.jpg"] and rest == {SYSTEM: 2}


def test_the_order_is_that_of_the_names_whatever_the_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "b/2.jpg", "b/10.jpg", "a/z.jpg", "c.jpg")
    real = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda folder: iter(sorted(real(folder), reverse=True)))
    assert found(tmp_path)[0] == ["a/z.jpg", "b/10.jpg", "b/2.jpg", "c.jpg"]


def test_images_are_told_by_content_and_the_rest_is_named(tmp_path: Path) -> None:
    put(tmp_path, "a/photo", "a/photo.dat")
    put(tmp_path, "a/notes.txt", "a/list.csv", data=b"a word")
    (tmp_path / "empty").mkdir()
    put(tmp_path, "papers/readme.md", data=b"a word")
    names, rest = found(tmp_path)
    assert names == ["a/photo", "a/photo.dat"]
    assert rest["empty folders"] == 1 and rest["folders without an image that can be read"] == 1 and sum(rest.values()) == 5


def test_links_are_followed_but_not_round_in_a_circle(tmp_path: Path) -> None:
    put(tmp_path, "shop/a/1.jpg")
    put(tmp_path, "elsewhere/2.jpg")
    (tmp_path / "shop" / "b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "shop" / "a" / "up").symlink_to(tmp_path / "shop")
    names, rest = found(tmp_path / "shop")
    assert names == ["a/1.jpg", "b/2.jpg"] and rest == {"links back to a folder above them": 1}


def test_a_folder_that_cannot_be_opened_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "a/1.jpg", "locked/2.jpg")
    real = Path.iterdir

    def refuse(folder: Path) -> object:
        if folder.name == "locked":
            raise PermissionError(13, "Permission denied")
        return real(folder)

    monkeypatch.setattr(tree.Path, "iterdir", refuse)
    assert found(tmp_path) == (["a/1.jpg"], {"folders that cannot be opened (permission denied)": 1})


def test_our_own_mark_is_passed_in_silence_at_the_top_alone(tmp_path: Path) -> None:
    put(tmp_path, "a/1.jpg")
    put(tmp_path, "synthetic.json", data=b"{}")
    assert found(tmp_path) == (["a/1.jpg"], {})
    put(tmp_path, "a/synthetic.json", data=b"{}")
    assert sum(found(tmp_path)[1].values()) == 1


def test_a_folder_that_lists_but_cannot_be_entered_does_not_end_the_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "a/1.jpg", "b/inner/2.jpg")
    real = os.stat

    def stat(path: object, *args: object, **options: object) -> os.stat_result:
        if "inner" in str(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *args, **options)  # type: ignore[arg-type, call-overload, no-any-return]

    monkeypatch.setattr(os, "stat", stat)
    names, rest = found(tmp_path)
    assert names == ["a/1.jpg"] and sum(rest.values()) >= 1
