"""Files are whole or not there, also when the disk is full and the writer says so in words of its own."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from collections import namedtuple
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repr import files
from repr.errors import UserError
from repr.files import cache_dir, check_writable, content_key, held, need_space, read_json, replacing, try_to_keep, write_json

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


@pytest.mark.parametrize("named", [True, False])
def test_an_error_names_the_file_that_was_wanted(tmp_path: Path, named: bool) -> None:
    with pytest.raises(PermissionError) as refused, replacing(tmp_path / "a.csv") as temporary:
        raise PermissionError(errno.EACCES, "no", str(temporary)) if named else PermissionError(errno.EACCES, "no")
    assert refused.value.filename == str(tmp_path / "a.csv")


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


@given(st.lists(st.binary(max_size=6), max_size=4), st.lists(st.binary(max_size=6), max_size=4))
def test_a_key_tells_parts_apart_wherever_they_are_cut(one: list[bytes], other: list[bytes]) -> None:
    assert (content_key(*one) == content_key(*other)) == (one == other)


@given(st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=4), max_size=4))
def test_a_key_does_not_hang_on_the_order_of_names(settings: dict[str, int | str]) -> None:
    key = content_key(settings)
    assert key == content_key(dict(reversed(settings.items()))) and len(key) == 20 and set(key) <= set("0123456789abcdef")


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
def test_json_comes_back_as_it_was(value: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_json(Path(folder) / "deep" / "a.json", value)
        assert read_json(Path(folder) / "deep" / "a.json") == value


def test_json_with_a_byte_order_mark_is_read_and_what_is_none_names_its_place(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(b"\xef\xbb\xbf[1]")
    assert read_json(file) == [1]
    file.write_text('{"a": 1,\n "b": }')
    with pytest.raises(UserError, match=r"a\.json:2:7: not JSON: Expecting value\. Mend"):
        read_json(file)
    file.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(UserError, match=r"a\.json: not UTF-8 at byte 7\. Save the file as UTF-8"):
        read_json(file)
    with pytest.raises(UserError, match=r"b\.json: there is no such file"):
        read_json(tmp_path / "b.json")


def test_a_name_that_is_no_text_stands_in_json(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    write_json(tmp_path / "a.json", {"file": name, "茶": 1})
    assert "茶" in (tmp_path / "a.json").read_text(encoding="utf-8") and read_json(tmp_path / "a.json")["file"] == name


def test_space_is_looked_for_where_the_folder_will_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.shutil, "disk_usage", lambda place: Usage(0, 0, 2**30) if place == tmp_path else pytest.fail(str(place)))
    need_space(tmp_path / "new" / "deep", 2**30, "the pack")
    with pytest.raises(UserError, match=r"new: the pack needs 1\.5 GiB and the disk has 1\.0 GiB free\. Free some space"):
        need_space(tmp_path / "new", 3 * 2**29, "the pack")


def test_what_cannot_be_kept_is_said_and_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    try_to_keep(tmp_path / "a.npz", lambda path: path.write_text("kept"))
    assert (tmp_path / "a.npz").read_text() == "kept" and capsys.readouterr().err == ""
    try_to_keep(tmp_path / "b.npz", full)
    assert f"Not kept for the next time: no space left on device in {tmp_path}. Set REPR_CACHE" in capsys.readouterr().err
    with pytest.raises(ValueError, match="a fault of ours"):  # is no fault of the cache's, and is not hidden
        try_to_keep(tmp_path / "c.npz", lambda _: (_ for _ in ()).throw(ValueError("a fault of ours")))


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"REPR_CACHE": "/x", "XDG_CACHE_HOME": "/y"}, "/x/packs/a"),
        ({"REPR_CACHE": "", "XDG_CACHE_HOME": "/y"}, "/y/repr/packs/a"),
        ({"REPR_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "/me"}, "/me/.cache/repr/packs/a"),
    ],
)
def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], folder: str) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert cache_dir("packs", "a") == Path(folder)


def test_a_folder_is_held_by_one_and_an_empty_new_one_goes_again(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with held(folder):
        assert folder.is_dir()
        other = "import sys; from pathlib import Path; from repr.files import held\nwith held(Path(sys.argv[1])): pass"
        done = subprocess.run([sys.executable, "-c", other, str(folder)], capture_output=True, text=True)
        assert done.returncode != 0 and "another process is writing here. Wait for it, or choose another `out`" in done.stderr
    assert not folder.exists()
    with held(folder):
        (folder / "a").touch()
    with held(folder):
        pass
    assert [file.name for file in folder.iterdir()] == ["a"]
