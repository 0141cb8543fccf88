"""MEP-3M's images: 599 archives Images/<sub-class>.rar, with members <sub-class>/<n>.jpg or .png, into the folders of the records.

Python reads no rar, so an outside program does: bsdtar, 7z or unar. Every archive is listed first, a member that would leave
its folder (or is a link) stops the work, and the program writes into a fresh folder inside the target, from where only
plain files are moved to their place.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from repr.catalog import jsonfile, mep3m, parts
from repr.catalog.spelling import ODD, plain
from repr.catalog.table import LEAVES
from repr.errors import UserError
from repr.files import need_space
from repr.records import Json

INSIDE = re.compile(r"(?:^|/)Images/([^/]+/[^/]+)$", re.IGNORECASE)  # where in a recorded path the archive begins
PART = ".unpacking"  # the folder inside Images/ that the outside program writes to


@dataclass(frozen=True)
class Member:
    """One entry of an archive; kind: "file", "folder" or "other" (a link, a device)."""

    name: str
    kind: str


@dataclass
class Result:
    """Of one archive. missing: images of the records that it lacks; extra: images in it that no record names."""

    archive: str
    images: int = 0
    skipped: bool = False  # it was complete already
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Program:
    """An outside program: how to list an archive, how to read that list, how to unpack it into a folder."""

    name: str
    path: str
    listing: Callable[[str, Path], list[str]]
    parse: Callable[[str], list[Member]]
    unpacking: Callable[[str, Path, Path], list[str]]


def _parse_tar(text: str) -> list[Member]:
    """`bsdtar -tvf`: mode, links, owner, group, size, month, day, time, name; the first letter of the mode is the kind."""
    members = []
    for line in filter(None, text.splitlines()):
        cells = line.split(None, 8)
        kind = {"-": "file", "d": "folder"}.get(line[0], "other")
        members.append(Member(cells[8] if len(cells) == 9 else "", kind))
    return members


def _parse_7z(text: str) -> list[Member]:
    """`7z l -slt`: blocks of "Name = value" after a line of dashes; a D in the attributes is a folder, an l in the mode a link."""
    members = []
    for block in text.partition("\n----------\n")[2].replace("\r", "").split("\n\n"):
        values = dict(line.partition(" = ")[::2] for line in block.splitlines() if " = " in line)
        if "Path" not in values:
            continue
        attributes = values.get("Attributes", "")
        link = values.get("Symbolic Link") or values.get("Hard Link") or " l" in attributes or "L" in attributes.split(" ")[0]
        folder = values.get("Folder") == "+" or attributes.startswith("D")
        members.append(Member(values["Path"].replace("\\", "/"), "other" if link else "folder" if folder else "file"))
    return members


def _parse_lsar(text: str) -> list[Member]:
    """`lsar -j`: JSON with lsarContents."""
    return [
        Member(entry["XADFileName"], "other" if entry.get("XADIsLink") else "folder" if entry.get("XADIsDirectory") else "file")
        for entry in json.loads(text).get("lsarContents", [])
    ]


def find_program() -> Program:
    """The first of bsdtar, 7z, unar that is installed. Raises UserError that names them."""
    if path := shutil.which("bsdtar"):
        return Program("bsdtar", path, lambda p, a: [p, "-tvf", str(a)], _parse_tar, lambda p, a, to: [p, "-xf", str(a), "-C", str(to)])
    for name in ("7z", "7zz"):
        if path := shutil.which(name):
            return Program(
                name, path, lambda p, a: [p, "l", "-slt", str(a)], _parse_7z, lambda p, a, to: [p, "x", "-y", "-bd", f"-o{to}", str(a)]
            )
    lister = shutil.which("lsar")
    if (path := shutil.which("unar")) and lister:
        return Program(
            "unar", path, lambda _, a: [lister, "-j", str(a)], _parse_lsar, lambda p, a, to: [p, "-q", "-D", "-f", "-o", str(to), str(a)]
        )
    raise UserError(
        "no program that unpacks rar",
        "",
        "Install one of bsdtar (libarchive-tools), 7z (7zip) or unar, for example: apt install libarchive-tools",
    )


def archives_in(root: Path) -> list[Path]:
    """Images/<number>.rar below a MEP-3M folder, in numeric order."""
    images = root / "Images" if (root / "Images").is_dir() else root
    archives = [file for file in images.iterdir() if file.suffix.lower() == ".rar" and file.stem.isdigit()] if images.is_dir() else []
    if not archives:
        raise UserError("no Images/<number>.rar in it", root, "Give the folder that holds MEP-3M's Images/1.rar … 599.rar")
    return sorted(archives, key=lambda file: int(file.stem))


def choose(archives: list[Path], subset: str | None) -> list[Path]:
    """The archives that hold the images of a subset; all without one. Raises UserError when one is not there."""
    if not subset:
        return archives
    part = parts.load(subset)
    if not part.archives:
        raise UserError("its archives cannot be told: no sub_class_id or parent_id in it", subset, "Add the column, or leave `subset` out")
    by_id = {archive.stem: archive for archive in archives}
    absent = [id_ for id_ in part.archives if id_ not in by_id]
    if absent:
        raise UserError(
            f"{len(absent)} archives of {part.name} are not there: {', '.join(f'{id_}.rar' for id_ in absent)}",
            archives[0].parent,
            "Fetch them, or leave `subset` out",
        )
    return [by_id[id_] for id_ in part.archives]


class _Image(msgspec.Struct):
    img_path: str


def read_paths(root: Path, annotations: Path | None = None) -> pa.ChunkedArray:
    """The image paths of all records of a MEP-3M folder's annotation file (or of the one named), streamed."""
    annotations = annotations or mep3m.annotations_in(root)
    if annotations is None:
        raise UserError("no annotation.json to check the archives against", root, "Name it with `annotations`")
    blocks = [pa.array([_inside(r.img_path) for r in records]) for _, records in jsonfile.stream_array(annotations, _Image)]
    return pa.chunked_array(blocks, pa.string())


def _inside(path: str) -> str:
    """A record's path from Images/ on, however it is spelled: with back slashes, absolute, or with dots."""
    if path.startswith("Images/") and not ODD.search(path):
        return path
    match = INSIDE.search(plain(path))
    return f"Images/{match.group(1)}" if match else plain(path)


def unpack(archives: Iterable[Path], paths: pa.ChunkedArray, out: Path, program: Program) -> Iterator[Result]:
    """Unpack archives into `out`/Images/<sub-class>/, one result each. What is complete is skipped; stopped, it goes on there.

    paths: the records' image paths (`read_paths`). Raises UserError for a broken archive, and for a member that would leave
    its folder; then nothing of that archive is in place.
    """
    for archive in archives:
        wanted = pc.filter(paths, pc.starts_with(paths, f"Images/{archive.stem}/")).to_pylist()
        yield _unpack_one(program, archive, {path.rpartition("/")[2] for path in wanted}, out / "Images")


def summary(results: list[Result], out: Path) -> dict[str, Json]:
    """The object that `repr catalog unpack --json` prints."""
    return {
        "archives": len(results),
        "skipped": sum(result.skipped for result in results),
        "images": sum(result.images for result in results),
        "missing": sum(len(result.missing) for result in results),
        "extra": sum(len(result.extra) for result in results),
        "out": str(out / "Images"),
    }


def _unpack_one(program: Program, archive: Path, wanted: set[str], images: Path) -> Result:
    place = images / archive.stem
    members = _members(program, archive)
    inside = {member.name.rpartition("/")[2] for member in members if member.kind == "file"}
    result = Result(archive.name, len(inside), missing=sorted(wanted - inside), extra=sorted(inside - wanted))
    if place.is_dir() and inside <= {entry.name for entry in place.iterdir()}:
        result.skipped = True
        return result
    need_space(images, int(1.05 * archive.stat().st_size), f"unpacking {archive.name}")
    part = images / PART
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        _call(program.unpacking(program.path, archive.absolute(), part.absolute()), archive)
        unpacked = part / archive.stem
        got = {entry.name for entry in unpacked.iterdir() if entry.is_file() and not entry.is_symlink()} if unpacked.is_dir() else set()
        if inside - got:
            raise UserError(f"{len(inside - got)} of {len(inside)} members did not come out", archive, "Fetch the archive again")
        _move_in(unpacked, place)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return result


def _move_in(unpacked: Path, place: Path) -> None:
    """Put the unpacked folder in its place; into a folder that is there already, file by file."""
    if not place.exists():
        unpacked.rename(place)
        return
    for entry in unpacked.iterdir():
        entry.replace(place / entry.name)


def _members(program: Program, archive: Path) -> list[Member]:
    """The members of an archive, each checked to be <sub-class>/<file> (or that folder)."""
    members = program.parse(_call(program.listing(program.path, archive.absolute()), archive))
    for member in members:
        name = member.name.rstrip("/")
        parts = name.split("/")
        plain = member.kind in ("file", "folder") and not LEAVES.search(name) and parts[0] == archive.stem
        if not plain or len(parts) != (2 if member.kind == "file" else 1):
            raise UserError(
                f"the member {member.name!r} is not {archive.stem}/<image>; nothing of it was unpacked",
                archive,
                "Fetch the archive again from where the data set is published",
            )
    if not any(member.kind == "file" for member in members):
        raise UserError("an archive without images", archive, "Fetch the archive again")
    return members


def _call(command: list[str], archive: Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise UserError(f"{Path(command[0]).name} failed: {said[-1] if said else done.returncode}", archive, "Fetch the archive again")
    return done.stdout
