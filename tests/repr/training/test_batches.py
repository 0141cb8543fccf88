"""A plain stream of training images: full batches, of training images alone, the same for one seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from PIL import Image

from repr.catalog.table import Catalog, Source, build
from repr.training.batches import BATCH, training_batches


def greys(root: Path, n: int, split: str = "") -> Catalog:
    """n images of 8 × 8 px, each of one grey, its number (255 at most)."""
    for i in range(n):
        Image.new("L", (8, 8), min(i, 255)).save(root / f"{i}.png")
    columns = {"path": [f"{i}.png" for i in range(n)], "product": ["p"] * n, "split": [split] * n}
    return build(columns, classes=((), (), ()), sources=(Source("made", "folders", root),))


def test_few_images_are_one_batch(tmp_path: Path) -> None:
    shelf = greys(tmp_path, 60)
    (tmp_path / "7.png").write_bytes(b"no image")
    (batch,) = training_batches(shelf, 8, 50, seed=0, workers=1)
    assert batch.dtype == torch.uint8 and batch.shape[1:] == (8, 8, 3) and 49 <= len(batch) <= 50
    assert torch.equal(batch, next(training_batches(shelf, 8, 50, seed=0)))
    other = next(training_batches(shelf, 8, 50, seed=1))
    n = min(len(batch), len(other))
    assert not torch.equal(batch[:n], other[:n])


def test_batches_are_full_and_of_training_images(tmp_path: Path) -> None:
    train = greys(tmp_path, 2 * BATCH + 40, "train")
    assert [len(batch) for batch in training_batches(train, 8, 1000, seed=0)] == [BATCH, BATCH]
    test = greys(tmp_path, 5, "test")
    both = Catalog(pa.concat_tables([train.select(np.arange(5, 20)).table, test.table]), train.classes, train.sources)
    (seen,) = training_batches(both, 8, 1000, seed=0)
    assert sorted(seen[:, 0, 0, 0].tolist()) == list(range(5, 20))
