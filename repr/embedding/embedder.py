"""The embedder: an encoder made ready once, then asked for the vectors of images, of catalogs and of packed pixels.

Decoding goes on in the background while the network works on the squares before; no image is decoded twice, and no more
than a few batches are in memory. The squares are those that a pack of the encoder's side holds, and the network sees them
through the one evaluation transform (`Encoder.encode`), so that the result is that of packing first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from repr import progress
from repr.arrays import Floats, Ints, Pixels
from repr.embedding import cache
from repr.embedding.abreast import abreast
from repr.embedding.embeddings import Embeddings, NoneReadable
from repr.embedding.inference import piece, prepared
from repr.files import try_to_keep
from repr.images.boxes import Box
from repr.images.decode import decode
from repr.images.decoded import Chunk, Quarantined
from repr.images.known import ImageFiles
from repr.images.reader import ImageLike, name_of, passing
from repr.models.devices import pick_device
from repr.models.encoder import Encoder, mean_of
from repr.vectors import check_finite, normalised

BATCH = 64  # images; larger ones gain little on a processor and only delay the first result


class Embedder:
    """An encoder made ready on a device: copied, folded and moved there when it is made, not at every call.

    encoder: the copy that embeds; training the one it was made from does not reach it. Features are float32 on every device:
    bfloat16 turned EfficientNet-Lite0's by a cosine of 0.976 to 0.991 (tools/bench/embedding.py).
    """

    def __init__(self, encoder: Encoder, *, device: str = "auto", workers: int | None = None, batch_size: int = BATCH) -> None:
        """device: "auto", "cpu", "cuda" or "cuda:N". workers: threads that decode, default one a core. batch_size: images at a time.

        Raises UserError when the device is not there.
        """
        self.device = pick_device(device)
        self.workers = workers
        self.batch_size = batch_size
        self.encoder = prepared(encoder, self.device)
        self._digest = cache.digest(encoder)  # now, since the encoder may be trained on

    def features(self, pixels: Pixels) -> Floats:
        """(n, side, side, 3) uint8 squares of the encoder's `side`, such as a pack's → (n, dim) float32, as the network gives them."""
        vectors = np.empty((len(pixels), self.encoder.dim), np.float32)
        for start in range(0, len(pixels), self.batch_size):
            batch = torch.from_numpy(np.require(pixels[start : start + self.batch_size], requirements="W"))
            with torch.inference_mode():
                vectors[start : start + len(batch)] = self._vectors(batch.to(self.device, non_blocking=True)).cpu().numpy()
        return vectors

    def _vectors(self, batch: Tensor) -> Tensor:
        """(b, side, side, 3) uint8 → (b, dim) float32. On a processor in pieces, each crop of which is a thread's."""
        if self.device.type != "cpu":
            return self.encoder.encode(batch).float()
        crops = self.encoder.crops
        looks = [(part, crop) for part in torch.split(batch, piece(self.encoder)) for crop in crops]
        features = abreast(self._look, looks)
        return torch.cat([mean_of(features[place : place + len(crops)]) for place in range(0, len(looks), len(crops))])

    def _look(self, look: tuple[Tensor, float]) -> Tensor:
        with torch.inference_mode():  # of the thread
            return self.encoder.forward(self.encoder.look(*look)).float()

    def images(self, images: Sequence[ImageLike], boxes: Sequence[Box | None] | None = None) -> Embeddings:
        """The embeddings of images: paths, bytes of files, Pillow's images, (h, w, 3) uint8 pixels, mixed as they come.

        boxes: one an image, x, y, w, h in pixels, None for the whole image; None for all whole. Images that cannot be read are left
        out and listed, by path, or by place where they have none. A big JPEG file is decoded only as large as needed; the same image
        given as pixels then differs by what shrinking it in two steps makes. Raises UserError for what is no image, and when an
        embedding is not finite.
        """
        features, rows, bad = self._embed(self._decoded(images, boxes), len(images))
        quarantine = tuple(Quarantined(name_of(images[position], position), reason) for position, reason in bad)
        return _embeddings(features, rows, quarantine)

    def catalog(self, catalog: ImageFiles, *, keep: bool = True) -> Embeddings:
        """The embeddings of every readable image (or box) of a catalog, in its order.

        keep: in the cache folder, to be found again, under a key of the weights' values, the image size, the crops, and path, box,
        length and time of every file. Raises NoneReadable when no image can be read, and UserError when an embedding is not finite.
        """
        place = cache.place(self._digest, self.encoder.side, catalog) if keep else None
        if place and (cached := cache.read(place)):
            return cached
        decoded = self._decoded(catalog.files(), catalog.boxes())
        chunks = _counted(decoded, len(catalog), f"embed with {self.encoder.name}")
        features, rows, bad = self._embed(chunks, len(catalog))
        reasons, paths = dict(bad), enumerate(path for _, path in catalog.located())
        quarantine = tuple(Quarantined(path, reasons[row]) for row, path in paths if row in reasons)
        if not len(rows):
            raise NoneReadable(quarantine, catalog.name)
        embeddings = _embeddings(features, rows, quarantine)
        if place and not any(passing(image.reason) for image in quarantine):  # else those are tried again
            try_to_keep(place, embeddings.write)
        return embeddings

    def _decoded(self, images: Sequence[ImageLike], boxes: Sequence[Box | None] | None) -> Iterator[Chunk]:
        return decode(images, boxes, self.encoder.side, fit=self.encoder.frame or "crop", workers=self.workers)

    def _embed(self, chunks: Iterable[Chunk], n: int) -> tuple[Floats, Ints, list[tuple[int, str]]]:
        """Features (m, d) of the readable ones of n images, their positions (m,), and (position, reason) of the others."""
        features, rows, done = np.empty((n, self.encoder.dim), np.float32), np.empty(n, np.int64), 0
        bad: list[tuple[int, str]] = []
        for pixels, positions in _batches(chunks, self.batch_size, bad):
            part = slice(done, done + len(positions))
            features[part], rows[part] = self.features(pixels), positions
            done = part.stop
        check_finite(features[:done], self.encoder.name)
        return features[:done], rows[:done], bad


def _embeddings(features: Floats, rows: Ints, quarantine: tuple[Quarantined, ...]) -> Embeddings:
    return Embeddings(normalised(features), np.linalg.norm(features, axis=1).astype(np.float32), rows, quarantine)


def _batches(chunks: Iterable[Chunk], size: int, bad: list[tuple[int, str]]) -> Iterator[tuple[Pixels, Ints]]:
    """Chunks regrouped to batches of `size` images; unreadable ones are noted in `bad`."""
    pixels: list[Pixels] = []
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


def _counted(chunks: Iterable[Chunk], total: int, what: str) -> Iterator[Chunk]:
    with progress.bar(total, what, "image") as bar:
        for chunk in chunks:
            yield chunk
            bar.update(len(chunk.positions) + len(chunk.bad))
