"""Files are whole or not there, also when the disk is full and the writer says so in words of its own."""

from __future__ import annotations

import errno
import os
from collections import namedtuple
from pathlib import Path

import pytest

from repr import files
from repr.files import check_writable, replacing

Usage = namedtuple("Usage", "total used free")


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("old")
    with pytest.raises(RuntimeError, match="no fault of the disk"), replacing(tmp_path / "a.json") as temporary:
        temporary.write_text("half")
        raise RuntimeError("no fault of the disk")
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "old"


@pytest.mark.parametrize("words", [RuntimeError("file write failed"), OSError("100 requested and 20 written")])
def test_a_full_disk_is_told_whatever_the_writer_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: Exception) -> None:
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: Usage(100, 100, 0))
    with pytest.raises(OSError) as raised, replacing(tmp_path / "a.bin") as temporary:
        temporary.write_text("half")
        raise words
    assert (raised.value.errno, raised.value.filename) == (errno.ENOSPC, str(tmp_path / "a.bin"))
    assert not list(tmp_path.iterdir())


def test_a_file_does_not_replace_a_folder(tmp_path: Path) -> None:
    (tmp_path / "kept" / "inside").mkdir(parents=True)
    with pytest.raises(IsADirectoryError) as raised, replacing(tmp_path / "kept") as temporary:
        temporary.write_text("new")
    assert raised.value.filename == str(tmp_path / "kept")
    assert [file.name for file in tmp_path.rglob("*")] == ["kept", "inside"]


def test_what_cannot_be_written_is_told_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_writable(tmp_path / "new" / "deep" / "out.json")
    (tmp_path / "file").write_text("x")
    check_writable(tmp_path / "file")
    assert [file.name for file in tmp_path.iterdir()] == ["file"], "nothing is made"
    with pytest.raises(NotADirectoryError) as refused:
        check_writable(tmp_path / "file" / "below" / "out.json")
    assert refused.value.filename == str(tmp_path / "file")
    monkeypatch.setattr(os, "access", lambda *_: False)  # whoever runs the tests may be allowed everything
    with pytest.raises(PermissionError):
        check_writable(tmp_path / "new")
