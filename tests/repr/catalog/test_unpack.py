"""Unpacking through bsdtar (which also reads the zip and tar files made here), and the lists of 7z and lsar."""

from __future__ import annotations

import io
import json
import shutil
import stat
import sys
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from repr.catalog import unpack
from repr.errors import UserError

needs_bsdtar = pytest.mark.skipif(shutil.which("bsdtar") is None, reason="bsdtar is not installed")


def archive(root: Path, number: int, *members: str, link: str = "") -> Path:
    """A zip under the name of a rar."""
    path = root / "Images" / f"{number}.rar"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as file:
        for member in members:
            file.writestr(member, f"content of {member}")
        if link:
            entry = zipfile.ZipInfo(link)
            entry.create_system = 3
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            file.writestr(entry, "/etc")
    return path


def records(*paths: str) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(paths, pa.string())])


def run(root: Path, out: Path, *paths: str) -> list[unpack.Result]:
    return list(unpack.unpack(unpack.archives_in(root), records(*paths), out, unpack.find_program()))


def tree(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@needs_bsdtar
def test_unpacks_into_the_places_of_the_records(tmp_path: Path) -> None:
    archive(tmp_path, 2, "2/1.jpg", "2/2.png")
    archive(tmp_path, 10, "10/", "10/1.jpg", "10/9.jpg")
    out = tmp_path / "out"
    first, second = run(tmp_path, out, "Images/2/1.jpg", "Images/2/2.png", "Images/2/3.jpg", "Images/10/1.jpg")
    assert tree(out) == ["Images/10/1.jpg", "Images/10/9.jpg", "Images/2/1.jpg", "Images/2/2.png"]
    assert (out / "Images/2/2.png").read_text() == "content of 2/2.png"
    assert (first.archive, first.images, first.missing, first.extra, first.skipped) == ("2.rar", 2, ["3.jpg"], [], False)
    assert (second.archive, second.missing, second.extra) == ("10.rar", [], ["9.jpg"])
    assert unpack.summary([first, second], out)["missing"] == 1


@needs_bsdtar
def test_goes_on_where_it_stopped(tmp_path: Path) -> None:
    archive(tmp_path, 1, "1/1.jpg", "1/2.jpg")
    archive(tmp_path, 2, "2/1.jpg")
    run(tmp_path, tmp_path)
    (tmp_path / "Images/1/1.jpg").unlink()
    (tmp_path / "Images/1/own.txt").write_text("kept")
    (tmp_path / "Images" / unpack.PART / "1").mkdir(parents=True)
    first, second = run(tmp_path, tmp_path)
    assert (first.skipped, second.skipped) == (False, True)
    assert tree(tmp_path / "Images") == ["1.rar", "1/1.jpg", "1/2.jpg", "1/own.txt", "2.rar", "2/1.jpg"]
    assert not (tmp_path / "Images" / unpack.PART).exists()


@needs_bsdtar
@pytest.mark.parametrize(
    "member", ["../evil.jpg", "1/../../evil.jpg", "/tmp/evil.jpg", "2/1.jpg", "evil.jpg", "1/deep/1.jpg", "1/../evil.jpg"]
)
def test_a_member_that_leaves_its_folder_stops_everything(tmp_path: Path, member: str) -> None:
    root = tmp_path / "root"
    archive(root, 1, "1/1.jpg", member)
    with pytest.raises(UserError, match=r"is not 1/<image>") as caught:
        run(root, root)
    assert caught.value.where.endswith("1.rar")
    assert tree(tmp_path) == ["root/Images/1.rar"]


@needs_bsdtar
def test_links_are_refused(tmp_path: Path) -> None:
    archive(tmp_path, 1, "1/1.jpg", link="1/2.jpg")
    with pytest.raises(UserError, match="nothing of it was unpacked"):
        run(tmp_path, tmp_path)
    with tarfile.open(tmp_path / "Images" / "1.rar", "w") as file:
        for name, kind in (("1", tarfile.SYMTYPE), ("1/1.jpg", tarfile.REGTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, str(tmp_path)
            file.addfile(entry, io.BytesIO())
    with pytest.raises(UserError, match="nothing of it was unpacked"):
        run(tmp_path, tmp_path)
    assert tree(tmp_path) == ["Images/1.rar"]


@needs_bsdtar
def test_a_broken_archive_is_named(tmp_path: Path) -> None:
    path = archive(tmp_path, 1, "1/1.jpg")
    path.write_bytes(b"Rar!\x1a\x07\x00 and no more")
    with pytest.raises(UserError, match="bsdtar failed") as caught:
        run(tmp_path, tmp_path)
    assert caught.value.where.endswith("1.rar")
    assert tree(tmp_path) == ["Images/1.rar"]


def test_nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match=r"bsdtar.*7z.*unar"):
        unpack.find_program()


def test_no_archives(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no Images/<number>\.rar"):
        unpack.archives_in(tmp_path)


def test_archives_of_a_subset(tmp_path: Path) -> None:
    for number in (528, 538, 7):
        archive(tmp_path, number, f"{number}/1.jpg")
    found = unpack.archives_in(tmp_path)
    assert [path.stem for path in found] == ["7", "528", "538"]
    assert [path.stem for path in unpack.choose(found, "meats")] == ["528", "538"]
    with pytest.raises(UserError, match=r"451\.rar"):
        unpack.choose(found, "outdoors")


def test_paths_of_the_records(tmp_path: Path, shared: Path) -> None:
    paths = unpack.read_paths(shared / "fashion")
    assert len(paths) == 20_000 and paths[0].as_py() == "Images/1/1.jpg"
    with pytest.raises(UserError, match="annotations"):
        unpack.read_paths(tmp_path)


# What `7z l -slt` and `lsar -j` print: the documented forms, shortened.
SEVEN = """
7-Zip 23.01 (x64)

Listing archive: 1.rar

--
Path = 1.rar
Type = Rar5
Physical Size = 900

----------
Path = 1
Folder = +
Attributes = D drwxr-xr-x

Path = 1/1.jpg
Folder = -
Size = 400
Attributes = A -rw-r--r--

Path = 1/2.jpg
Folder = -
Attributes = A lrwxrwxrwx
Symbolic Link = /etc/passwd
"""


def test_the_lists_of_other_programs() -> None:
    Member = unpack.Member
    assert unpack._parse_7z(SEVEN) == [Member("1", "folder"), Member("1/1.jpg", "file"), Member("1/2.jpg", "other")]
    contents = [
        {"XADFileName": "1", "XADIsDirectory": 1},
        {"XADFileName": "1/1.jpg", "XADFileSize": 3},
        {"XADFileName": "1/2.jpg", "XADIsLink": 1},
    ]
    assert unpack._parse_lsar(json.dumps({"lsarContents": contents})) == unpack._parse_7z(SEVEN)


FAKE_7Z = f"""#!{sys.executable}
import sys, zipfile
with zipfile.ZipFile(sys.argv[-1]) as file:
    if sys.argv[1] == "l":
        print("\\n----------")
        for name in file.namelist():
            print(f"Path = {{name}}\\nFolder = -\\nAttributes = A\\n")
    else:
        file.extractall(next(a for a in sys.argv if a.startswith("-o"))[2:])
"""


def test_a_stand_in_for_7z(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "7z").write_text(FAKE_7Z)
    (tmp_path / "bin" / "7z").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    archive(tmp_path, 1, "1/1.jpg")
    assert unpack.find_program().name == "7z"
    run(tmp_path, tmp_path / "out")
    assert tree(tmp_path / "out") == ["Images/1/1.jpg"]


@pytest.mark.parametrize(
    "written", ["Images\\2\\1.jpg", "./Images/2/1.jpg", "/data/mep3m/Images/2/1.jpg", "D:\\Images\\2\\1.jpg", "images/2/1.jpg"]
)
def test_paths_of_records_are_read_however_they_are_spelled(tmp_path: Path, written: str) -> None:
    (tmp_path / "annotation.json").write_text(json.dumps([{"img_path": written}]))
    assert unpack.read_paths(tmp_path).to_pylist() == ["Images/2/1.jpg"]
