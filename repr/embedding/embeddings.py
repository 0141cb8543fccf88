"""Embeddings: one L2-normalised vector an image, which images they are of, and which could not be read; their file."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from repr.arrays import Floats, Ints
from repr.errors import UserError
from repr.files import replacing
from repr.images.decoded import Quarantined

log = logging.getLogger(__name__)

VERSION = 1  # of the file; raise it when the evaluation transform changes
NAMED = 5  # images left out that are named one by one


@dataclass(frozen=True)
class Embeddings:
    """The embeddings of those of n images that could be read.

    vectors: (m, d) float32, L2-normalised. norms: (m,) float32, the lengths before. rows: (m,) int64, ascending, the positions of
    theirs among the n. quarantine: the images left out, with the reason, in order.
    """

    vectors: Floats
    norms: Floats
    rows: Ints
    quarantine: tuple[Quarantined, ...] = ()

    @property
    def features(self) -> Floats:
        """(m, d) float32, the features as the encoder gave them, before they were scaled to length 1."""
        return np.asarray(self.vectors * self.norms[:, None], dtype=np.float32)

    def __len__(self) -> int:
        return len(self.vectors)

    def write(self, path: Path) -> None:
        """Write an .npz file (embeddings, norms, rows, described), whole or not at all."""
        described = {"version": VERSION, "quarantine": [[q.path, q.reason] for q in self.quarantine]}
        with replacing(Path(path)) as temporary, temporary.open("wb") as stream:
            np.savez(stream, embeddings=self.vectors, norms=self.norms, rows=self.rows, described=np.array(json.dumps(described)))

    @classmethod
    def read(cls, path: Path) -> Embeddings:
        """Read what `write` wrote. Raises UserError when the file is missing, broken or of another version."""
        remedy = "Delete it; it is made again"
        try:
            with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                described = json.loads(str(file["described"]))
                arrays = file["embeddings"], file["norms"], file["rows"]
        except FileNotFoundError:
            raise UserError("there is no such file", path, "Check the path") from None
        except Exception as error:  # zipfile, zlib, numpy and json each have their own
            raise UserError(f"not a readable file of embeddings ({error})", path, remedy) from None
        if described.get("version") != VERSION:
            raise UserError(f"embeddings of version {described.get('version')}, not {VERSION}", path, remedy)
        return cls(*arrays, tuple(Quarantined(*q) for q in described["quarantine"]))


class NoneReadable(UserError):
    """Not one of the images can be read. quarantine: all of them, with the reason."""

    def __init__(self, quarantine: Sequence[Quarantined], where: str) -> None:
        counted = Counter(image.reason for image in quarantine).most_common(3)
        reasons = ", ".join(f"{n} x {reason}" if len(counted) > 1 else reason for reason, n in counted) or "there are no images"
        super().__init__(f"none of the {len(quarantine)} images can be read ({reasons})", where, "Check `data` and the images")
        self.quarantine = quarantine


def log_left_out(quarantine: Sequence[Quarantined]) -> None:
    """Log the first images that could not be read, with the reason, and how many more there are."""
    for broken in quarantine[:NAMED]:
        log.info(f"left out: {broken.path}: {broken.reason}")
    if len(quarantine) > NAMED:
        log.info(f"left out: {len(quarantine) - NAMED:,} more images that cannot be read")
