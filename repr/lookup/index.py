"""The index: a folder that finds the stored products most like a photograph.

manifest.json             version, weights, root, segments, removals; replaced last, so that a reader sees a whole state
weights.safetensors       a copy of the weights
segment-*.npy, *.parquet  one pair an addition, see segments.py
ivf.faiss, *.cells.npy    only with cells, see ivf.py

An addition writes a new segment and a removal one line of the manifest; neither touches what is stored. FAISS holds the
live vectors in memory, in order; what stands at a position is looked up in a table of our own (FAISS's own id maps have
answered wrongly after removals: faiss issues #1643, #2409, #4656).
"""

from __future__ import annotations

import datetime
import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from repr.arrays import Bools, Floats, Ints
from repr.commands import command_line
from repr.crops import WHOLE
from repr.errors import UserError, nearest
from repr.lookup import segments
from repr.lookup.manifest import Manifest
from repr.lookup.segments import Segment
from repr.search import ivf
from repr.search.exact import check_finite, load_faiss, normalised, pieces

if TYPE_CHECKING:
    from repr.models.encoder import Encoder
    from repr.models.weights import Weights

WEIGHTS = "weights.safetensors"
BUILD, ADD = "repr index build", "repr index add"  # what may be interrupted
ZOOMS = (1.0, 0.5)  # of weights that say nothing of them; chosen by tools/experiments/crops.toml on training images


@dataclass(frozen=True)
class Match:
    """One answer: a product, the cosine of its image to the query (higher is better), the image relative to the root."""

    product: str
    score: float
    image: str
    name: str | None = None
    barcode: str | None = None
    box: tuple[float, float, float, float] | None = None


@dataclass
class _Loaded:
    """What a search needs: the FAISS index, the table of its positions, and the code (position in `products`) of each."""

    engine: Any
    table: pa.Table
    codes: Ints
    products: list[str]


class Index:
    """An index folder, opened. Several processes may read while one writes."""

    def __init__(self, folder: Path, manifest: Manifest, weights: Weights | None = None) -> None:
        self.folder = folder
        self.manifest = manifest
        self._weights = weights  # to be copied into the folder with the first segment
        self._loaded: _Loaded | None = None

    @classmethod
    def create(cls, folder: str | Path, weights: Weights, *, dim: int, root: Path, synthetic: bool = False) -> Index:
        """A new, empty index; the folder appears with the first addition.

        weights: kept as a copy; the index looks at images by their size and crops. dim: of their features. root: what image paths
        are relative to. Raises UserError when there is something at `folder`.
        """
        folder = Path(folder)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            adding = command_line("repr index add", folder, data="DATA")
            raise UserError("is there already", folder, f"Add to it with `{adding}`, delete it, or choose another `out`")
        described = {
            "identity": weights.identity,
            "name": weights.name,
            "arch": weights.arch,
            "size": weights.size,
            "crops": list(weights.crops or WHOLE),
            "dim": dim,
            "synthetic": weights.synthetic,
        }
        created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        manifest = Manifest(described, str(Path(root).absolute()), synthetic or weights.synthetic, created=created)
        return cls(folder, manifest, weights)

    @classmethod
    def open(cls, folder: str | Path) -> Index:
        """Open an index folder; vectors are read at the first search. Raises UserError when it is not one."""
        return cls(Path(folder), Manifest.read(Path(folder)))

    # -- weights

    def check(self, identity: str, name: str) -> None:
        """Raise UserError unless `identity` is that of the weights the index was made with."""
        own = self.manifest.weights
        if identity != own["identity"]:
            raise UserError(
                f"the index was made with the weights {own['name']} ({own['identity']}), not with {name} ({identity})",
                self.folder,
                "Leave `weights` out, or build another index with these weights",
            )

    def encoder(self, device: str = "auto") -> Encoder:
        """The encoder of the weights the index was made with. Raises UserError when they were changed."""
        from repr.models.devices import pick_device
        from repr.models.weights import load_encoder

        described, file = self.manifest.weights, self.folder / WEIGHTS
        encoder = load_encoder(self._weights or file, size=described["size"], crops=self.manifest.crops, device=str(pick_device(device)))
        if encoder.identity != described["identity"]:
            raise UserError(f"not the weights the index was made with ({described['identity']})", file, segments.REMEDY)
        return encoder

    @cached_property
    def _own_encoder(self) -> Encoder:
        return self.encoder()

    # -- change

    def reload(self) -> None:
        """Read again what other processes may have changed; an index that is not written yet stays as it is."""
        if (self.folder / "manifest.json").is_file():
            self.manifest, self._loaded = Manifest.read(self.folder), None

    def add_vectors(
        self,
        vectors: Floats,
        products: Sequence[str],
        images: Sequence[str],
        *,
        boxes: Sequence[Any] | None = None,
        names: Sequence[str | None] | None = None,
        barcodes: Sequence[str | None] | None = None,
        unfinished: str = "",
    ) -> None:
        """Store vectors (n, d) of images (paths relative to the root) of products as one new segment.

        unfinished: the command that adds them, when it is to be given again after an interruption: noted until `end`, whatever else
        is added.
        """
        dim = self.manifest.weights["dim"]
        if vectors.ndim != 2 or vectors.shape[1] != dim:
            raise UserError(f"vectors of shape {vectors.shape}, the index holds {dim} numbers a image", self.folder, "Embed again")
        check_finite(vectors, str(self.folder))
        with self._writing():
            manifest = self.manifest
            table = segments.entries(manifest.next_id, products, images, boxes=boxes, names=names, barcodes=barcodes)
            unit = normalised(vectors)
            segment = segments.write_segment(self.folder, manifest.next_segment, unit, table)
            if manifest.cells:
                ivf.write_cells(self.folder, segment, ivf.read_centres(self.folder, manifest.cells), unit)
            manifest.segments.append(segment)
            manifest.next_segment += 1
            manifest.next_id += len(vectors)
            if unfinished and unfinished not in manifest.unfinished:
                manifest.unfinished.append(unfinished)

    def end(self, command: str) -> None:
        """Note that a command has come to its end."""
        if command in self.manifest.unfinished:
            with self._writing():
                self.manifest.unfinished = [other for other in self.manifest.unfinished if other != command]

    def remove(self, products: Sequence[str]) -> int:
        """Take products out; returns how many images went. Raises UserError, and removes nothing, when one is unknown."""
        with self._writing():
            stored = self._table().column("product")
            known = set(pc.unique(stored).to_pylist())
            for product in products:
                if product not in known:
                    raise UserError(f"no product {product!r} in the index", self.folder, nearest(product, sorted(known)))
            self.manifest.removed.update(dict.fromkeys(products, self.manifest.next_segment))
            return int(pc.sum(pc.is_in(stored, value_set=pa.array(products, pa.string()))).as_py() or 0)

    def build_cells(self, generator: np.random.Generator, *, smallest: int = ivf.SMALLEST) -> ivf.Cells:
        """Change to the faster, inexact search; see ivf.py. Raises UserError when the index is too small to gain from it."""
        with self._writing():
            stored = [(segment, self._vectors(segment), live) for segment, live, _ in self._segments()]
            trained, cells = ivf.build_cells(np.concatenate([vectors[live] for _, vectors, live in stored]), generator, smallest=smallest)
            ivf.write_centres(self.folder, trained)
            for segment, vectors, _ in stored:
                ivf.write_cells(self.folder, segment, trained, vectors)
            self.manifest.cells = cells
        return cells

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One writer at a time; the manifest is read again before and replaced after, and left alone when something fails."""
        import fcntl

        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UserError("another process is changing the index", self.folder, "Wait until it is done") from None
            fresh = not (self.folder / "manifest.json").exists()
            try:
                if not fresh:
                    self.manifest = Manifest.read(self.folder)
                self._loaded = None
                if fresh:
                    from repr.models.weights import write_weights

                    assert self._weights is not None
                    write_weights(self.folder / WEIGHTS, self._weights)
                yield
                self.manifest.write(self.folder)
            except BaseException:
                if fresh:
                    self._clear()
                else:
                    self.manifest = Manifest.read(self.folder)
                    self._sweep()
                raise
            finally:
                self._loaded = None

    def _clear(self) -> None:
        """Take back the first addition, which failed."""
        for file in [*self.folder.glob("segment-*"), self.folder / WEIGHTS, self.folder / "lock"]:
            file.unlink(missing_ok=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _sweep(self) -> None:
        """Take away what a change that failed has written: all that the manifest does not name."""
        stale = [*self.folder.glob(f"segment-{self.manifest.next_segment:06d}.*")]
        if not self.manifest.cells:
            stale += [*self.folder.glob("segment-*.cells.npy"), self.folder / "ivf.faiss"]
        for file in stale:
            file.unlink(missing_ok=True)

    # -- search

    def search(self, vectors: Floats, k: int = 10, *, per_image: bool = False) -> list[list[Match]]:
        """For each vector (q, d) the k best products with their best image, best first; per_image: the k best images.

        Fewer than k when the index holds fewer. Scores are cosines. Raises UserError for vectors that do not fit.
        """
        dim = self.manifest.weights["dim"]
        if vectors.ndim != 2 or vectors.shape[1] != dim:
            raise UserError(f"queries of shape {vectors.shape}, the index holds {dim} numbers a image", self.folder, "Embed again")
        check_finite(vectors, "queries")
        loaded = self._load()
        n = loaded.table.num_rows
        wanted = min(k, n if per_image else len(loaded.products))
        queries, found = normalised(vectors), [np.empty((0, 2))] * len(vectors)
        todo, depth = np.arange(len(queries)), min(n, wanted if per_image else 4 * wanted)
        while len(todo) and wanted:
            unfinished: list[int] = []
            for part in pieces(len(todo), depth):
                scores, positions = loaded.engine.search(queries[todo[part]], depth)
                for row, s, p in zip(todo[part], scores, positions, strict=True):
                    found[row], ended = _best(s, p, None if per_image else loaded.codes, wanted)
                    if not ended and len(found[row]) < wanted and depth < n:
                        unfinished.append(row)
            todo, depth = np.array(unfinished, dtype=np.int64), min(n, 4 * depth)
        return [_matches(loaded.table, hits) for hits in found]

    def lookup(self, photo: str | Path, k: int = 10, *, per_image: bool = False) -> list[Match]:
        """The k products most like a photograph, best first. Raises UserError when it cannot be read."""
        from repr.embedding.embed import embed_files

        vectors, _, unreadable = embed_files(self._own_encoder, [photo], boxes=self.boxes_of([photo]))
        if unreadable:
            raise UserError(unreadable[0].reason, photo, "Give a image file")
        return self.search(vectors, k, per_image=per_image)[0]

    def boxes_of(self, photos: Sequence[str | Path]) -> list[tuple[float, float, float, float] | None]:
        """The box that each photograph was stored with, None for those that are not stored, or whole, or with several boxes.

        A stored image is looked up as it was stored: an exemplar of a turntable shows its product small in the frame.
        """
        root = Path(self.manifest.root)
        paths = [relative_to_root(Path(photo), root) for photo in photos]
        table = self._table()
        found = table.filter(pc.is_in(table.column("image"), value_set=pa.array(paths)))
        boxes: dict[str, set[tuple[float, ...] | None]] = {}
        for image, box in zip(found.column("image").to_pylist(), found.column("box").to_pylist(), strict=True):
            boxes.setdefault(image, set()).add(tuple(box) if box else None)
        only = [next(iter(boxes[path])) if len(boxes.get(path, ())) == 1 else None for path in paths]
        return [None if box is None else (box[0], box[1], box[2], box[3]) for box in only]

    def images(self) -> set[tuple[str, str, tuple[float, ...] | None]]:
        """Product, image and box of everything stored, to tell what is new."""
        table = self._table()
        columns = (table.column(name).to_pylist() for name in ("product", "image", "box"))
        return {(product, image, None if box is None else tuple(box)) for product, image, box in zip(*columns, strict=True)}

    def info(self) -> dict[str, Any]:
        """What the index holds, in plain numbers."""
        table, manifest = self._table(), self.manifest
        stored, place = sum(segment.rows for segment in manifest.segments), shlex.quote(str(self.folder))
        return {
            "images": table.num_rows,
            "products": len(pc.unique(table.column("product"))),
            "removed_images": stored - table.num_rows,
            "segments": len(manifest.segments),
            "search": "exact" if manifest.cells is None else "cells",
            "cells": asdict(manifest.cells) if manifest.cells else None,
            "weights": manifest.weights,
            "root": manifest.root,
            "bytes": sum(file.stat().st_size for file in self.folder.glob("*") if file.is_file()),
            "complete": not manifest.unfinished,
            "unfinished": [f"{command} {'--out' if command.startswith(BUILD) else '--index'} {place}" for command in manifest.unfinished],
            "created": manifest.created,
            "synthetic": manifest.synthetic,
            "version": manifest.version,
        }

    # -- inside

    def _vectors(self, segment: Segment) -> Floats:
        return segments.read_vectors(self.folder, segment, self.manifest.weights["dim"])

    def _segments(self) -> Iterator[tuple[Segment, Bools, pa.Table]]:
        """Every segment, which of its rows were not removed, and what those are."""
        for segment in self.manifest.segments:
            table = segments.read_entries(self.folder, segment)
            gone = [product for product, first in self.manifest.removed.items() if segment.number < first]
            live = pc.invert(pc.is_in(table.column("product"), value_set=pa.array(gone, pa.string())))
            yield segment, np.asarray(live), table.filter(live)

    def _table(self) -> pa.Table:
        if self._loaded is not None:
            return self._loaded.table
        return pa.concat_tables([segments.SCHEMA.empty_table(), *(table for _, _, table in self._segments())])

    def _load(self) -> _Loaded:
        if self._loaded is None:
            faiss, manifest = load_faiss(), self.manifest
            cells = manifest.cells
            engine = ivf.read_centres(self.folder, cells) if cells else faiss.IndexFlatIP(manifest.weights["dim"])
            tables = [segments.SCHEMA.empty_table()]
            for segment, live, entries in self._segments():
                tables.append(entries)
                vectors = np.ascontiguousarray(self._vectors(segment)[live])
                if cells:
                    ivf.fill(engine, vectors, ivf.read_cells(self.folder, segment, cells)[live], engine.ntotal)
                else:
                    engine.add(vectors)
            table = pa.concat_tables(tables)
            assert engine.ntotal == table.num_rows
            encoded = pc.dictionary_encode(table.column("product").combine_chunks())
            codes = np.asarray(encoded.indices).astype(np.int64)
            self._loaded = _Loaded(engine, table, codes, encoded.dictionary.to_pylist())
        return self._loaded


def relative_to_root(file: Path, root: Path) -> str:
    """The path of a image as the index keeps it: relative to the root, with /; `..` when it lies elsewhere."""
    return Path(os.path.relpath(file.absolute(), root)).as_posix()


def _best(
    scores: Floats, positions: np.ndarray[Any, Any], codes: np.ndarray[Any, Any] | None, wanted: int
) -> tuple[np.ndarray[Any, Any], bool]:
    """Rows (position, score) of the best `wanted` products (codes None: images), and whether the search has no more to give."""
    real = positions >= 0  # FAISS fills short lists with -1, which only searches by cells can have
    positions, scores = positions[real], scores[real]
    if codes is not None:
        _, first = np.unique(codes[positions], return_index=True)
        first.sort()
        positions, scores = positions[first], scores[first]
    return np.column_stack([positions, scores])[:wanted], not real.all()


def _matches(table: pa.Table, hits: np.ndarray[Any, Any]) -> list[Match]:
    rows = table.take(pa.array(hits[:, 0].astype(np.int64))).to_pylist()
    return [
        Match(r["product"], float(score), r["image"], r["name"], r["barcode"], tuple(r["box"]) if r["box"] else None)
        for r, score in zip(rows, hits[:, 1], strict=True)
    ]
