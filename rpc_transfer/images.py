"""The images of a run as learners take them: pixels packed once a size, features made once a start."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from repr.arrays import Bools, Floats, Pixels, Rows
from repr.catalog.table import Catalog
from repr.crops import WHOLE
from repr.embedding.embedder import Embedder
from repr.errors import UserError
from repr.images.pack import make_pack
from repr.models.encoder import Encoder
from repr.models.weights import Weights, load_encoder

MOST = 2  # a whole part is embedded when it has fewer than so many times the rows served


@dataclass(frozen=True)
class Table:
    """Images in a learner's form. x: (n, …) pixels or features; place: (catalog rows,) position in x, -1 for none."""

    x: Floats | Pixels
    place: Rows

    def has(self, rows: Rows) -> Bools:
        """Which of the catalog rows are there (readable)."""
        return np.asarray(self.place[rows] >= 0)

    def take(self, rows: Rows) -> Floats | Pixels:
        """x of the catalog rows, all of which are there."""
        return self.x[self.place[rows]]


class Shelf:
    """Serves the images `rows` of a catalog, as pixels of any size and as features of any weights.

    Pixels are packed and features cached on disk (by `repr.images` and `repr.evaluation`), so that every learner, seed
    and later run shares them.
    """

    def __init__(self, catalog: Catalog, rows: Rows, *, device: str, workers: int | None) -> None:
        self.catalog, self.rows = catalog, rows
        self.device, self.workers = device, workers
        self.packs: dict[int, Table] = {}
        self.made: dict[tuple[str, int, tuple[float, ...]], Table] = {}
        self.unreadable: dict[str, str] = {}  # file -> reason

    @cached_property
    def chosen(self) -> Catalog:
        """The catalog of the rows served."""
        return self.catalog.select(self.rows)

    @cached_property
    def files(self) -> set[str]:
        """Their image files."""
        return {str(file) for file in self.chosen.files()}

    def pixels(self, size: int) -> Table:
        """uint8 (n, size, size, 3) of every readable image, memory-mapped."""
        if size not in self.packs:
            pack = make_pack(self.chosen, size, workers=self.workers)
            self.unreadable.update({str(q.path): q.reason for q in pack.quarantine})
            self.packs[size] = Table(pack.pixels, self._places(pack.rows))
        return self.packs[size]

    def features(self, weights: Weights, size: int, crops: tuple[float, ...] = WHOLE) -> Table:
        """float32 (n, d) raw features of every readable image by an encoder as it came.

        Where most of a part of the set (train, test) is served, the whole part is embedded, so that another split, seed or
        number of shots finds it in the cache; where little is, as 10 shots of RPC's 53,739 exemplars, that alone.
        """
        key = (weights.identity, size, crops)
        if key not in self.made:
            embedder = Embedder(load_encoder(weights, size=size, crops=crops), device=self.device, workers=self.workers)
            part_of = self.catalog.column("split").astype(str)
            place, features, start = np.full(len(self.catalog), -1, dtype=np.int64), [], 0
            for part in np.unique(part_of[self.rows]):
                whole, served = np.flatnonzero(part_of == part), self.rows[part_of[self.rows] == part]
                rows = whole if len(whole) < MOST * len(served) else served
                embeddings = embedder.catalog(self.catalog.select(rows))
                self.unreadable.update({str(q.path): q.reason for q in embeddings.quarantine if str(q.path) in self.files})
                place[rows[embeddings.rows]] = start + np.arange(len(embeddings))
                features.append(embeddings.features)
                start += len(embeddings)
            self.made[key] = Table(np.concatenate(features), place)
        return self.made[key]

    def _places(self, positions: Rows) -> Rows:
        place = np.full(len(self.catalog), -1, dtype=np.int64)
        place[self.rows[positions]] = np.arange(len(positions))
        return place


def encode(encoder: Encoder, pixels: Table, rows: Rows, device: torch.device, batch_size: int = 256) -> Table:
    """float32 (n, d) raw features of those of the catalog rows that are there, by an encoder in memory."""
    rows = rows[pixels.has(rows)]
    batch_size = max(1, batch_size * encoder.size**2 // encoder.side**2)
    encoder.to(device).eval()
    parts = []
    with torch.inference_mode():  # in float32, as `repr.embedding`
        for start in range(0, len(rows), batch_size):
            batch = torch.from_numpy(pixels.take(rows[start : start + batch_size])).to(device)
            parts.append(encoder.encode(batch).float().cpu().numpy())
    x = np.concatenate(parts)
    if not np.isfinite(x).all():
        raise UserError("the trained encoder gives values that are not finite", encoder.name, "Train it with a smaller `lr`")
    place = np.full(len(pixels.place), -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    return Table(x, place)
