"""Embeddings: images in, one L2-normalised vector a image out, streamed and kept.

Decoding goes on in the background while the model works on the squares before; no image is decoded twice, and no more
than a few batches are in memory. The squares are those that a pack of the encoder's side holds, and the model sees them
through the one evaluation transform (`Encoder.encode`), so that the result is that of packing first.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from repr import progress
from repr.arrays import Floats, Ints
from repr.crops import WHOLE
from repr.errors import UserError
from repr.files import cache_dir, content_key, replacing
from repr.images.decode import Chunk, decode
from repr.images.pack import Quarantined, source_key
from repr.images.reader import Box
from repr.search.exact import check_finite, normalised

if TYPE_CHECKING:
    from repr.catalog.table import Catalog
    from repr.models.encoder import Encoder

log = logging.getLogger(__name__)

VERSION = 1  # of the file; raise it when the evaluation transform changes
BATCH = 64  # images; larger ones gain little on a processor and only delay the first result


def say_left_out(quarantine: Sequence[Quarantined]) -> None:
    """Name the first images that could not be read, with the reason, and count the rest."""
    for broken in quarantine[:5]:
        log.info(f"left out: {broken.path}: {broken.reason}")
    if len(quarantine) > 5:
        log.info(f"left out: {len(quarantine) - 5:,} more images that cannot be read")


class NoneReadable(UserError):
    """Not one of the images can be read. quarantine: all of them, with the reason."""

    def __init__(self, quarantine: Sequence[Quarantined], where: str) -> None:
        counted = Counter(image.reason for image in quarantine).most_common(3)
        reasons = ", ".join(f"{n} x {reason}" if len(counted) > 1 else reason for reason, n in counted) or "there are no images"
        super().__init__(f"none of the {len(quarantine)} images can be read ({reasons})", where, "Check `data` and the images")
        self.quarantine = quarantine


@dataclass(frozen=True)
class Embeddings:
    """The embeddings of a catalog's readable images.

    vectors: (n, d) float32, L2-normalised. norms: (n,) float32, the lengths before. rows: (n,) int64, positions in the
    catalog. quarantine: the images left out, with the reason.
    """

    vectors: Floats
    norms: Floats
    rows: Ints
    quarantine: tuple[Quarantined, ...] = ()

    @property
    def features(self) -> Floats:
        """(n, d) the features as the encoder gave them, before they were scaled to length 1."""
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


def embed(
    encoder: Encoder,
    catalog: Catalog,
    *,
    batch_size: int = BATCH,
    device: str = "auto",
    workers: int | None = None,
    cache: bool = True,
) -> Embeddings:
    """Embed every readable image (or box) of the catalog; the result is kept in the cache folder and found again.

    The cache's key holds the weights' values, the image size, the crops, and path, box, length and time of every
    file. Raises NoneReadable when no image can be read, and UserError when an embedding is not finite.
    """
    kept = cache_dir("embeddings", f"{_key(encoder, catalog)}.npz") if cache else None
    if kept and kept.exists():
        try:
            return Embeddings.read(kept)
        except UserError as error:
            log.info(f"Making embeddings again: {error}")
    decoded = decode(catalog.files(), catalog.boxes(), encoder.side, workers=workers)
    chunks = _bar(decoded, len(catalog), f"embed with {encoder.name}")
    features, rows, bad = _features(encoder, chunks, len(catalog), batch_size=batch_size, device=device)
    paths = catalog.table.column("path")
    quarantine = tuple(Quarantined(str(paths[position]), reason) for position, reason in bad)
    if not len(rows):
        raise NoneReadable(quarantine, catalog.name)
    result = Embeddings(normalised(features), np.linalg.norm(features, axis=1).astype(np.float32), rows, quarantine)
    if kept:
        result.write(kept)
    return result


def embed_files(
    encoder: Encoder,
    paths: Sequence[str | Path],
    *,
    boxes: Sequence[Box | None] | None = None,
    batch_size: int = BATCH,
    device: str = "auto",
    workers: int | None = None,
) -> tuple[Floats, Ints, list[Quarantined]]:
    """Embed image files: vectors (m, d) L2-normalised, positions (m,) of the readable ones in `paths`, and the others.

    boxes: one a file, x, y, w, h in pixels, None for the whole image; None for all whole.
    """
    chunks = decode([Path(path) for path in paths], boxes, encoder.side, workers=workers)
    features, rows, bad = _features(encoder, chunks, len(paths), batch_size=batch_size, device=device)
    return normalised(features), rows, [Quarantined(str(paths[position]), reason) for position, reason in bad]


def _features(
    encoder: Encoder, chunks: Iterable[Chunk], n: int, *, batch_size: int, device: str
) -> tuple[Floats, Ints, list[tuple[int, str]]]:
    """Raw features (m, d) float32 of the readable ones of n images, their positions (m,), and (position, reason) of the others."""
    import torch

    from repr.embedding.inference import encoding
    from repr.models.devices import pick_device

    # Float32 on every device: bfloat16 turned EfficientNet-Lite0's features by a cosine of 0.976 to 0.991 (tools/bench/embedding.py).
    encode = encoding(encoder, pick_device(device))
    features, rows, done = np.empty((n, encoder.dim), np.float32), np.empty(n, np.int64), 0
    bad: list[tuple[int, str]] = []
    for pixels, positions in _batches(chunks, batch_size, bad):
        part = slice(done, done + len(positions))
        features[part], rows[part] = encode(torch.from_numpy(pixels)).cpu().numpy(), positions
        done = part.stop
    check_finite(features[:done], encoder.name)
    return features[:done], rows[:done], bad


def _batches(chunks: Iterable[Chunk], size: int, bad: list[tuple[int, str]]) -> Iterator[tuple[npt.NDArray[np.uint8], Ints]]:
    """Chunks regrouped to batches of `size` images; unreadable ones are noted in `bad`."""
    pixels: list[npt.NDArray[np.uint8]] = []
    positions: list[Ints] = []
    for chunk in chunks:
        bad += chunk.bad
        pixels.append(chunk.pixels)
        positions.append(chunk.positions)
        while sum(map(len, positions)) >= size:
            all_pixels, all_positions = np.concatenate(pixels), np.concatenate(positions)
            yield all_pixels[:size], all_positions[:size]
            pixels, positions = [all_pixels[size:]], [all_positions[size:]]
    if sum(map(len, positions)):
        yield np.concatenate(pixels), np.concatenate(positions)


def _key(encoder: Encoder, catalog: Catalog) -> str:
    import torch

    # Not encoder.identity: that names the weights the encoder was made from, and it may have been trained since.
    digest = hashlib.sha256(repr((encoder.arch, encoder.mean, encoder.std)).encode())
    if encoder.crops != WHOLE:
        digest.update(repr((encoder.size, encoder.crops)).encode())
    for tensor in encoder.network.state_dict().values():
        digest.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    roots = [str(source.root.absolute()) for source in catalog.sources]
    return content_key(VERSION, digest.digest(), roots, source_key(catalog, encoder.side))


def _bar(chunks: Iterable[Chunk], total: int, what: str) -> Iterator[Chunk]:
    with progress.bar(total, what, "image") as bar:
        for chunk in chunks:
            yield chunk
            bar.update(len(chunk.positions) + len(chunk.bad))
