"""Embedding a big catalog by blocks: each is written when it is done, so that the same command goes on, here or on many machines.

A block is embedded by one thread, with batches of its own: its vectors are the same to the bit whoever embeds it, and how many others
beside it (with two threads, EfficientNet-Lite0's differ in the last bits).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import torch

from repr import progress
from repr.catalog.table import Catalog
from repr.embedding.embedder import Embedder
from repr.embedding.embeddings import Embeddings, NoneReadable
from repr.errors import UserError
from repr.files import content_key, held, read_json, replacing, write_json
from repr.images.boxes import Box
from repr.images.decoded import Quarantined
from repr.images.formats import DECODER
from repr.images.known import fingerprints
from repr.images.reader import passing
from repr.machine import cores
from repr.models.weights import Weights, load_encoder

BLOCK = 512  # images: some seconds of a core, which is what a worker that dies, or an interruption, loses
STATE = "blocks.json"
_READY: dict[tuple[str, int | None, tuple[float, ...], str], Embedder] = {}
_MAKING = Lock()


@dataclass(frozen=True, eq=False)
class Look:
    """By what images are embedded. device: "cpu", "cuda", …; size, crops: where not as the weights say."""

    weights: Weights
    size: int | None = None
    crops: tuple[float, ...] = ()
    device: str = "cpu"


@dataclass(frozen=True)
class Block:
    """Some rows of a catalog that follow each other: the number of the block, files, and boxes."""

    number: int
    files: tuple[Path, ...]
    boxes: tuple[Box | None, ...]


Run = Callable[[Look, Iterable[Block]], Iterator[tuple[int, Embeddings]]]  # blocks → (number, embeddings), in any order


def embed_block(look: Look, block: Block) -> Embeddings:
    """The embeddings of a block, by one thread."""
    torch.set_num_threads(1)
    return _ready(look).images(block.files, block.boxes)


def here(look: Look, blocks: Iterable[Block]) -> Iterator[tuple[int, Embeddings]]:
    """Embed blocks in this process, as many at a time as it has cores; one on a GPU."""
    todo = list(blocks)
    with ThreadPoolExecutor(cores() if look.device == "cpu" else 1) as pool:
        threads = torch.get_num_threads()
        try:
            yield from zip((block.number for block in todo), pool.map(lambda block: embed_block(look, block), todo), strict=True)
        finally:
            torch.set_num_threads(threads)


def embed_catalog(catalog: Catalog, look: Look, out: Path, *, run: Run = here, size: int = BLOCK) -> Embeddings:
    """Embed every readable image of a catalog, by blocks, into one .npz; returns what it holds.

    out: the file, beside which the blocks that are done lie until the end. run: who embeds blocks. Raises UserError when another process
    writes there, and NoneReadable when no image can be read. The file holds `embeddings` (m, d) float32 of length 1, `norms`, `rows`
    (their places in the catalog), `labels` (ids of products) and `paths`.
    """
    files, boxes = catalog.files(), catalog.boxes()
    key = content_key(DECODER, look.weights.identity, look.size, look.crops, size, fingerprints(catalog).tobytes())
    folder = out.with_name(f"{out.name}.blocks")
    with held(folder, "Wait for it, or choose another `out`"):
        _begin(folder, key)
        parts = range(0, len(files), size)
        blocks = [Block(n, tuple(files[at : at + size]), tuple(boxes[at : at + size])) for n, at in enumerate(parts)]
        done = {block.number for block in blocks if _done(folder, block.number)}
        with progress.bar(len(files), "Embedding", "image") as bar:
            bar.update(sum(len(block.files) for block in blocks if block.number in done))
            for number, embeddings in run(look, [block for block in blocks if block.number not in done]):
                embeddings.write(_place(folder, number))
                bar.update(len(blocks[number].files))
        whole = _joined([Embeddings.read(_place(folder, block.number)) for block in blocks], size)
        if not len(whole):
            raise NoneReadable(whole.quarantine, catalog.name)
        _write(out, catalog, whole)
        for block in blocks:
            _place(folder, block.number).unlink(missing_ok=True)
        (folder / STATE).unlink()
    with suppress(OSError):
        folder.rmdir()
    return whole


def _ready(look: Look) -> Embedder:
    """Made ready once a process, which embeds by one look."""
    key = look.weights.identity, look.size, look.crops, look.device
    with _MAKING:
        if key not in _READY:
            _READY.clear()
            encoder = load_encoder(look.weights, size=look.size, crops=look.crops or None)
            _READY[key] = Embedder(encoder, device=look.device, workers=0)
        return _READY[key]


def _begin(folder: Path, key: str) -> None:
    """Go on in a folder of the same images and weights; drop blocks of others."""
    with suppress(UserError):
        if read_json(folder / STATE) == {"key": key}:
            return
    for file in folder.glob("*.npz"):
        file.unlink()
    write_json(folder / STATE, {"key": key})


def _place(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.npz"


def _done(folder: Path, number: int) -> bool:
    """Whether a block is done: not where its file is torn, or where an image failed in a way that may have passed."""
    with suppress(UserError):
        return not any(passing(image.reason) for image in Embeddings.read(_place(folder, number)).quarantine)
    return False


def _joined(parts: Sequence[Embeddings], size: int) -> Embeddings:
    """Blocks as one; their rows count from the first of the catalog."""
    rows = np.concatenate([part.rows + number * size for number, part in enumerate(parts)])
    vectors, norms = (np.concatenate([getattr(part, name) for part in parts]) for name in ("vectors", "norms"))
    quarantine = tuple(Quarantined(os.fspath(image.path), image.reason) for part in parts for image in part.quarantine)
    return Embeddings(vectors, norms, rows, quarantine)


def _write(out: Path, catalog: Catalog, whole: Embeddings) -> None:
    paths = np.array([path for _, path in catalog.located()])[whole.rows]
    labels = catalog.product_keys().astype(str)[whole.rows]
    left_out = np.array(json.dumps([[image.path, image.reason] for image in whole.quarantine]))
    with replacing(out) as temporary, temporary.open("wb") as stream:
        np.savez(stream, embeddings=whole.vectors, norms=whole.norms, rows=whole.rows, labels=labels, paths=paths, quarantine=left_out)
