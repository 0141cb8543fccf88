"""Exported encoders as others run them: ONNX files, by ONNX Runtime, without PyTorch. Nothing here may import it."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from repr.arrays import Floats, Pixels
from repr.errors import UserError
from repr.images.frames import Frame
from repr.records import from_json, to_json

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

INPUT, OUTPUT = "squares", "features"


@dataclass(frozen=True)
class About:
    """What a program must know to use an exported file: written into it as metadata.

    size: side in pixels that the network sees; side: of the squares that it is given, in which its closest crop has that size; frame: how
    images are made square, None for our way.
    """

    name: str
    identity: str
    arch: str
    dim: int
    size: int
    side: int
    crops: tuple[float, ...]
    frame: Frame | None = None

    def texts(self) -> dict[str, str]:
        """As names and JSON texts."""
        return {name: json.dumps(to_json(value)) for name, value in vars(self).items()}


NAMES = frozenset(field.name for field in fields(About))


def opened(path: Path, threads: int) -> InferenceSession:
    """A session of ONNX Runtime on the processor. threads: for one operation; 0 for what it finds.

    Raises UserError when it is missing, or cannot read the file.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise UserError("ONNX files need the package onnxruntime", path, "Install it with `pip install 'product-repr[onnx]'`") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors; it warns of what it could not fold
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no class of their own
        raise UserError(f"not a readable ONNX file ({str(error).partition(chr(10))[0]})", path, "Export it again") from None


class Graph:
    """An ONNX file, opened: (n, side, side, 3) uint8 → (n, dim) float32."""

    def __init__(self, path: Path, *, threads: int = 0) -> None:
        """threads: for one operation; 0 for what ONNX Runtime finds. Raises UserError when it is missing, or cannot read the file."""
        self.session = opened(path, threads)
        texts = self.session.get_modelmeta().custom_metadata_map
        self.about = from_json(About, {name: json.loads(text) for name, text in texts.items() if name in NAMES}, path)

    def features(self, squares: Pixels) -> Floats:
        """(n, side, side, 3) uint8 → (n, dim) float32."""
        outputs = self.session.run([OUTPUT], {INPUT: np.ascontiguousarray(squares)})[0]
        return np.asarray(outputs, dtype=np.float32)
