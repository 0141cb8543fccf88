"""A plain stream of training images in batches, for measuring something on them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from repr.catalog.table import Catalog
from repr.images.pack import make_pack

BATCH = 128


def training_batches(catalog: Catalog, size: int, images: int, *, seed: int, workers: int | None = None) -> Iterator[Tensor]:
    """uint8 (BATCH, size, size, 3) batches of up to `images` images drawn without replacement from the split "train".

    A last batch that is not full is left out, so that all weigh the same, unless it is the only one. Where there is no such
    split, all images are meant.
    """
    train = catalog.in_split("train")
    train = train if len(train) else catalog
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(train))[:images])
    pixels = make_pack(train.select(rows), size, workers=workers).pixels
    order = rng.permutation(len(pixels))
    last = max(len(order) - len(order) % BATCH, min(len(order), BATCH))
    for start in range(0, last, BATCH):
        yield torch.from_numpy(np.asarray(pixels[np.sort(order[start : start + BATCH])]))
