"""The encoder of an index as an ONNX file in its folder, by which `repr.lookup.cold` asks it."""

from __future__ import annotations

from pathlib import Path

from repr.embedding.portable import write_onnx
from repr.lookup.index import Index
from repr.lookup.schema import ENCODER


def write_encoder(folder: Path) -> Path:
    """Write encoder.onnx: the index's weights at its own image size and crops. Raises UserError when a package is missing."""
    index = Index.open(folder, device="cpu")
    write_onnx(index.encoder, folder / ENCODER)
    return folder / ENCODER
