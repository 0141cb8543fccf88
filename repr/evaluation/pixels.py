"""Neighbours by raw pixels: what is found with nothing learned (MEP-3M's paper shows them in Fig. 7, beside the embedding's)."""

from __future__ import annotations

import logging

import numpy as np

from repr.arrays import Floats, Ints, Pixels
from repr.errors import UserError
from repr.images.decode import decode
from repr.images.known import ImageFiles
from repr.images.pack import make_pack

log = logging.getLogger(__name__)

SIZE = 32
NAME = f"raw pixels ({SIZE} px)"


def pixel_features(images: ImageFiles, *, workers: int | None = None) -> tuple[Floats, Ints]:
    """Images shrunk to 32 x 32, as vectors (n, 3072) in 0..1 less each image's mean; and their rows (n,).

    Less the mean, because the cosine of two images would else say little but that both are bright.
    """
    pixels, rows = _squares(images, workers)
    features = pixels.reshape(len(pixels), -1).astype(np.float32) / np.float32(255)
    return features - features.mean(axis=1, keepdims=True), rows


def _squares(images: ImageFiles, workers: int | None) -> tuple[Pixels, Ints]:
    """The readable images (m, SIZE, SIZE, 3) and their rows (m,): from a pack in the cache, or in memory where it cannot be written."""
    try:
        pack = make_pack(images, SIZE, workers=workers)
        return pack.pixels, pack.rows
    except (OSError, UserError) as error:
        chunks = list(decode(images.files(), images.boxes(), SIZE, workers=workers))
        rows = np.concatenate([np.zeros(0, np.int64), *(chunk.positions for chunk in chunks)])
        if not len(rows):
            raise
        reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else error.message
        log.warning(f"Raw pixels are not kept for the next time: {reason}. Set REPR_CACHE to a folder that can be written.")
        return np.concatenate([chunk.pixels for chunk in chunks]), rows
