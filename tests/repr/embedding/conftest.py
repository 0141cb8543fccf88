"""A small network and some real images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from repr.catalog.sources import open_data
from repr.catalog.table import Catalog
from repr.models.encoder import Encoder
from repr.models.weights import fresh, load_encoder


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    return load_encoder(fresh("resnet18", 32, 0))


@pytest.fixture(scope="session")
def grocery(shared: Path) -> Catalog:
    return open_data([shared / "grocery"]).select(np.arange(0, 2600, 40))  # 65 images: more than one chunk


@pytest.fixture
def two(tmp_path: Path, shared: Path) -> Catalog:
    """A class folder with two images, one of them broken."""
    folder = tmp_path / "set" / "milk"
    folder.mkdir(parents=True)
    image = sorted((shared / "grocery" / "train2019").iterdir())[0]
    (folder / "good.jpg").write_bytes(image.read_bytes())
    (folder / "bad.jpg").write_bytes(image.read_bytes()[:200])
    return open_data([tmp_path / "set"], split="random")
