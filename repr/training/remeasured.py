"""Weights whose batch-norm statistics are measured anew on data of the user, as a mix of weights wants it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from repr.catalog.sources import divisions, fill_split, open_sources
from repr.models.batchnorm import reestimate_batchnorm
from repr.models.devices import pick_device
from repr.models.provenance import learned_from
from repr.models.weights import Weights, load_encoder
from repr.training import batches


@dataclass(frozen=True)
class Measured:
    """On which images: up to `images` of the training part of `data`. A source without a split of its own is divided by `data_seed`,
    or by `seed`, which draws the images, where that is None."""

    data: Sequence[str | Path]
    subset: str | None = None
    split: str = "grouped"
    data_seed: int | None = None
    images: int = 2000
    seed: int = 0


def remeasured(weights: Weights, on: Measured, *, device: str = "auto", workers: int | None = None) -> Weights:
    """The same weights with batch-norm statistics of these images, as sharp as the weights' crops look; their record says so.

    Raises UserError when the data cannot be read, or there are too few images (`reestimate_batchnorm`).
    """
    data_seed = on.seed if on.data_seed is None else on.data_seed
    sources = open_sources(on.data, subset=on.subset)
    catalog = fill_split(sources, on.split, data_seed)
    rows = np.flatnonzero(catalog.column("split").astype(str) == "train")
    learned = learned_from(catalog, rows if len(rows) else np.arange(len(catalog)), divisions(sources, on.split, data_seed, on.subset))
    images = batches.training_batches(catalog, load_encoder(weights).side, on.images, seed=on.seed, workers=workers)
    return reestimate_batchnorm(weights, images, learned, device=pick_device(device))
