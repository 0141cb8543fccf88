from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from repr.catalog.table import Catalog
from repr.training.batches import BATCH, training_batches


def test_few_images_are_one_batch(shelf: Catalog) -> None:
    (batch,) = training_batches(shelf, 8, 50, seed=0, workers=1)
    assert batch.dtype == torch.uint8 and batch.shape[1:] == (8, 8, 3) and 47 <= len(batch) <= 50
    assert torch.equal(batch, next(training_batches(shelf, 8, 50, seed=0)))
    assert not torch.equal(batch, next(training_batches(shelf, 8, 50, seed=1))[: len(batch)])


def test_batches_are_full_and_of_training_images(tmp_path: Path, folder_catalog: Any) -> None:
    for i in range(2 * BATCH + 40):
        Image.new("L", (8, 8), min(i, 255)).save(tmp_path / f"{i}.png")
    names = [f"{i}.png" for i in range(2 * BATCH + 40)]
    train = folder_catalog(tmp_path, names, split="train")
    batches = list(training_batches(train, 8, 1000, seed=0))
    assert [len(batch) for batch in batches] == [BATCH, BATCH]
    test = folder_catalog(tmp_path, names[:5], split="test")
    both = Catalog(_stack(train.select(np.arange(5, 20)), test), train.classes, train.sources)
    (seen,) = training_batches(both, 8, 1000, seed=0)
    assert sorted(seen[:, 0, 0, 0].tolist()) == list(range(5, 20))


def _stack(*catalogs: Catalog) -> Any:
    import pyarrow as pa

    return pa.concat_tables([catalog.table for catalog in catalogs])
