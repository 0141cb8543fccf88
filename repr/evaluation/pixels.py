"""Neighbours by raw pixels: what is found with nothing learned (MEP-3M's paper shows them in Fig. 7, beside the embedding's)."""

from __future__ import annotations

import numpy as np

from repr.arrays import Floats, Ints
from repr.images.known import ImageFiles
from repr.images.pack import make_pack

SIZE = 32
NAME = f"raw pixels ({SIZE} px)"


def pixel_features(images: ImageFiles, *, workers: int | None = None) -> tuple[Floats, Ints]:
    """Images shrunk to 32 x 32, as vectors (n, 3072) in 0..1 less each image's mean; and their rows (n,).

    Less the mean, because the cosine of two images would else say little but that both are bright.
    """
    pack = make_pack(images, SIZE, workers=workers)
    features = pack.pixels.reshape(len(pack), -1).astype(np.float32) / np.float32(255)
    return features - features.mean(axis=1, keepdims=True), pack.rows
