"""The cache of vectors: a file for each combination of weights' values, image size, crops and images."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from repr.crops import WHOLE
from repr.embedding.embeddings import VERSION, Embeddings
from repr.errors import UserError
from repr.files import cache_dir, content_key
from repr.images.known import ImageFiles
from repr.images.pack import source_key

if TYPE_CHECKING:
    from repr.models.encoder import Encoder

log = logging.getLogger(__name__)


def digest(encoder: Encoder) -> bytes:
    """32 bytes over all that the vectors of an image depend on: the values of the weights, normalisation, crops and their size.

    Not encoder.identity: that names the weights the encoder was made from, and it may have been trained since.
    """
    sha256 = hashlib.sha256(repr((encoder.arch, encoder.mean, encoder.std)).encode())
    if encoder.frame is not None:
        sha256.update(repr(encoder.frame).encode())
    if encoder.crops != WHOLE:
        sha256.update(repr((encoder.size, encoder.crops)).encode())
    for tensor in encoder.network.state_dict().values():
        sha256.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return sha256.digest()


def place(encoder: bytes, side: int, images: ImageFiles) -> Path:
    """The file for these images by the encoder of that digest, decoded to squares of `side` pixels; it changes when a file does."""
    return cache_dir("embeddings", f"{content_key(VERSION, encoder, images.roots, source_key(images, side))}.npz")


def read(file: Path) -> Embeddings | None:
    """What is kept in a file; None where there is none, or it is broken, which is logged."""
    if not file.exists():
        return None
    try:
        return Embeddings.read(file)
    except UserError as error:
        log.info(f"Making embeddings again: {error}")
        return None
