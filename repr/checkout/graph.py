"""Detectors as ONNX files, run by ONNX Runtime without PyTorch. Nothing here may import it."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from PIL import Image

from repr.arrays import Floats, Pixels
from repr.checkout.proposal import Proposal
from repr.checkout.squares import proposals_of, squared
from repr.embedding.graph import opened
from repr.errors import UserError
from repr.records import from_json, to_json

INPUT, BOXES, SCORES = "squares", "boxes", "scores"


@dataclass(frozen=True)
class About:
    """What a program must know to use an exported detector: written into it as metadata. side: of the square that it is given."""

    name: str
    identity: str
    side: int
    classes: tuple[str, ...]
    threshold: float
    synthetic: bool

    def texts(self) -> dict[str, str]:
        """As names and JSON texts."""
        return {name: json.dumps(to_json(value)) for name, value in vars(self).items()}


NAMES = frozenset(field.name for field in fields(About))


class Graph:
    """An ONNX file, opened. Called with an image it gives the boxes from the detector's threshold on, the surest first."""

    def __init__(self, path: Path, *, threads: int = 0) -> None:
        """threads: for one operation; 0 for what ONNX Runtime finds.

        Raises UserError when it is missing, or no detector.
        """
        self.session = opened(path, threads)
        texts = self.session.get_modelmeta().custom_metadata_map
        if not set(texts) >= NAMES:
            raise UserError("no detector", path, "Give an exported detector", argument="detector")
        self.about = from_json(About, {name: json.loads(text) for name, text in texts.items() if name in NAMES}, path)

    def answer(self, square: Pixels) -> tuple[Floats, Floats]:
        """Boxes (n, 4) and scores (n, classes) of a square (side, side, 3) uint8, as `network.Finder` has them."""
        boxes, scores = self.session.run([BOXES, SCORES], {INPUT: np.ascontiguousarray(square[None])})
        return np.asarray(boxes[0], np.float32), np.asarray(scores[0], np.float32)

    def __call__(self, image: Image.Image) -> list[Proposal]:
        """Boxes of an upright RGB image."""
        square, scale = squared(image, self.about.side)
        return proposals_of(*self.answer(square), self.about.classes, scale, image.size, self.about.threshold)
