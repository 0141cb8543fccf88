"""Images as the learners get them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repr.catalog.table import Catalog
from repr.models.weights import fresh
from rpc_transfer.images import Shelf


@pytest.fixture
def catalog(shop: Callable[..., Catalog], tmp_path: Path) -> Catalog:
    """Two products, each 12 images to learn from and 3 to test on; one that cannot be read."""
    made: Catalog = shop([2], root=tmp_path)
    (tmp_path / "train").mkdir()
    (tmp_path / "test").mkdir()
    rng = np.random.default_rng(0)
    for path in made.column("path"):
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(tmp_path / path)
    (tmp_path / "train" / "0_1.jpg").write_bytes(b"no image")
    return made


def test_features_do_not_depend_on_what_else_is_served(catalog: Catalog) -> None:
    weights, train = fresh("resnet18", 16, 0), np.flatnonzero(catalog.column("split").astype(str) == "train")
    few = Shelf(catalog, train[:4], device="cpu", workers=0).features(weights, 16)
    most = Shelf(catalog, train[:-1], device="cpu", workers=0).features(weights, 16)
    assert few.has(train).tolist() == [True, False, True, True] + [False] * 20  # of a big part no more than asked for
    assert most.has(train).tolist() == [True, False] + [True] * 22  # else all of it, for the cache
    np.testing.assert_allclose(few.take(train[[0, 2, 3]]), most.take(train[[0, 2, 3]]), rtol=1e-5)


def test_pixels_are_of_the_rows_served(catalog: Catalog) -> None:
    rows = np.array([3, 1, 20])
    shelf = Shelf(catalog, np.sort(rows), device="cpu", workers=0)
    table = shelf.pixels(8)
    assert table.has(rows).tolist() == [True, False, True] and table.x.shape == (2, 8, 8, 3)
    assert [Path(file).name for file in shelf.unreadable] == ["0_1.jpg"]
