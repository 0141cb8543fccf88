"""Who finds the products of a counter, by name or by file."""

from __future__ import annotations

from pathlib import Path

from repr.checkout.classical import propose
from repr.checkout.cold import CLASSICAL
from repr.checkout.detector import Detector, read_detector
from repr.checkout.graph import Graph
from repr.checkout.proposal import Proposer
from repr.machine import cores


def proposer_of(detector: str, *, device: str = "auto") -> Proposer:
    """ "classical", or a detector's file (.safetensors or .onnx), or the folder of its training. Raises UserError for another."""
    if detector == CLASSICAL:
        return propose
    if Path(detector).suffix == ".onnx":
        return Graph(Path(detector), threads=cores())
    return Detector(read_detector(detector), device=device)
