"""A detector that is run without PyTorch, by the ONNX file beside its own. Nothing here may import PyTorch."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError, safe_open

from repr.checkout.classical import propose
from repr.checkout.graph import Graph
from repr.checkout.proposal import Proposer
from repr.errors import UserError
from repr.machine import cores

log = logging.getLogger(__name__)

CLASSICAL = "classical"
FILE = "detector.safetensors"  # in the folder of a training
Export = Callable[[Path, Path], None]  # a detector's own file, and the ONNX file to write


def opened(detector: str, export: Export) -> Proposer:
    """ "classical", an ONNX file, or a detector's own file or folder, beside which its ONNX file is, or is written by `export`, once.

    Raises UserError for what is none of these.
    """
    if detector == CLASSICAL:
        return propose
    path = Path(detector)
    if path.suffix == ".onnx":
        return Graph(path, threads=cores())
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise UserError("there is no such detector", path, "Give its file, or classical", argument="detector")
    file = path.with_suffix(".onnx")
    if not (file.is_file() and Graph(file).about.identity == _identity(path)):
        log.info(f"Exporting the detector, once: {file}")
        export(path, file)
    return Graph(file, threads=cores())


def _identity(path: Path) -> str:
    try:
        with safe_open(path, framework="np") as file:
            return str((file.metadata() or {}).get("identity", ""))
    except (SafetensorError, OSError) as error:
        raise UserError(f"no detector that can be read ({error})", path, "Give its file, or classical", argument="detector") from None
