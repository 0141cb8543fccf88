"""Fingerprints of image files, given by anything that lists them: a catalog, or a plain class."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repr.images.known import fingerprints, places
from repr.images.pack import make_pack, source_key
from repr.images.reader import Box


@dataclass
class Folder:
    """Files of a folder, as packing wants them, without a catalog."""

    root: Path
    paths: list[str]
    cut: dict[int, Box] = field(default_factory=dict)
    name: str = "folder"
    synthetic: bool = False

    def __len__(self) -> int:
        return len(self.paths)

    def files(self) -> list[Path]:
        return [self.root / path for path in self.paths]

    def boxes(self) -> list[Box | None]:
        return [self.cut.get(row) for row in range(len(self))]

    @property
    def roots(self) -> list[str]:
        return [str(self.root)]

    def located(self) -> Iterable[tuple[str, str]]:
        return ((str(self.root), path) for path in self.paths)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "a").mkdir()
    names = [f"{i}.png" for i in range(4)]
    for i, name in enumerate(names):
        Image.new("L", (12, 10), 50 * i).save(tmp_path / "a" / name)
    return Folder(tmp_path / "a", names)


def test_a_pack_needs_no_catalog(folder: Folder) -> None:
    pack = make_pack(folder, 6)
    assert pack.pixels[:, 0, 0, 0].tolist() == [0, 50, 100, 150] and pack.rows.tolist() == [0, 1, 2, 3]
    assert make_pack(folder, 6).key == source_key(folder, 6) == pack.key


def test_a_print_changes_with_the_file_and_with_its_box(folder: Folder) -> None:
    first = fingerprints(folder)
    assert first.dtype == np.uint64 and len(set(first.tolist())) == 4
    np.testing.assert_array_equal(fingerprints(folder), first)
    folder.cut[2] = (1, 1, 4, 4)
    os.utime(folder.files()[1], ns=(1, 1))
    folder.files()[3].unlink()
    assert (fingerprints(folder) == first).tolist() == [True, False, False, False]


def test_a_copy_elsewhere_has_the_same_prints_when_moved(folder: Folder, tmp_path: Path) -> None:
    shutil.copytree(folder.root, tmp_path / "b", copy_function=shutil.copyfile)
    copy = Folder(tmp_path / "b", folder.paths)
    np.testing.assert_array_equal(fingerprints(copy, moved=True), fingerprints(folder, moved=True))
    assert not (fingerprints(copy) == fingerprints(folder)).any()


def test_places() -> None:
    held = np.array([7, 3, 9], np.uint64)
    rows = places(np.array([9, 7, 7], np.uint64), held)
    assert rows is not None and rows.tolist() == [2, 0, 0]
    assert places(np.array([9, 4], np.uint64), held) is None
    assert places(held, held[:0]) is None
