"""A small catalog of made images, some of them broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repr.catalog.table import Catalog, Source, build

N = 150
BROKEN = (3, 70, 149)


def of_folder(root: Path, names: list[str], *, split: str = "", synthetic: bool = False) -> Catalog:
    """A catalog of image files in one folder."""
    columns = {"path": names, "product": ["p"] * len(names), "split": [split] * len(names)}
    return build(columns, classes=((), (), ()), sources=(Source("made", "folders", root, synthetic),))


@pytest.fixture
def folder_catalog() -> Callable[..., Catalog]:
    return of_folder


@pytest.fixture
def shelf(tmp_path: Path) -> Catalog:
    """150 images of 20 × 16, each of one grey (its number); three of them cannot be read."""
    root = tmp_path / "shelf"
    root.mkdir()
    names = [f"{i:03}.png" for i in range(N)]
    for i, name in enumerate(names):
        Image.new("L", (20, 16), i).save(root / name)
    (root / names[3]).write_bytes(b"no image")
    (root / names[70]).write_bytes((root / names[69]).read_bytes()[:40])
    (root / names[149]).unlink()
    return of_folder(root, names)


@pytest.fixture
def greys() -> np.ndarray:  # type: ignore[type-arg]
    """What a pack of the shelf must hold: the number of each readable image."""
    return np.delete(np.arange(N), BROKEN)
