"""Many image files to squares of one size, in order, on all cores: the stream under packing and embedding."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from repr.images.boxes import Box
from repr.images.decoded import Chunk
from repr.images.frames import Frame
from repr.images.reader import MARGIN, Fit, ImageLike, Unreadable, read_image, square
from repr.machine import cores

CHUNK = 64  # images a task at most: long enough to hide the hand-over, short enough for a smooth bar and a quick Ctrl-C


def decode(
    images: Sequence[ImageLike],
    boxes: Sequence[Box | None] | None,
    size: int,
    *,
    fit: Fit | Frame = "crop",
    margin: float = MARGIN,
    workers: int | None = None,
    start: int = 0,
) -> Iterator[Chunk]:
    """Decode images[start:] to squares of `size` pixels, in order, some at a time.

    images: files, or what else `read_image` takes. boxes: one an image, None for the whole image; None for all of them.
    fit: as for `square`; with a frame nothing is decoded smaller, since its library does not.
    workers: cores to use; default all that this process may use; 0 or 1 decodes in the calling thread. Broken images come back in
    `bad`, with their reason.

    The workers are threads: Pillow decodes and resizes without the interpreter's lock, which leaves 0.1 ms an image that
    is not shared (0.3 ms in all for a JPEG of 176 px, 5 ms for one of 2592 × 1944), and no process has to be started.
    """
    workers = cores() if workers is None else workers
    chunk = max(1, min(CHUNK, math.ceil((len(images) - start) / (4 * max(workers, 1)))))
    spans = [(at, min(at + chunk, len(images))) for at in range(start, len(images), chunk)]

    def _task(span: tuple[int, int]) -> Chunk:
        part = slice(*span)
        return decode_chunk(images[part], boxes[part] if boxes else None, size, fit=fit, margin=margin, first=span[0])

    if workers < 2 or len(spans) < 2:
        yield from map(_task, spans)
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        waiting: deque[Future[Chunk]] = deque()
        try:
            for span in spans:
                waiting.append(pool.submit(_task, span))
                if len(waiting) > 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def decode_chunk(
    images: Sequence[ImageLike], boxes: Sequence[Box | None] | None, size: int, *, fit: Fit | Frame, margin: float, first: int
) -> Chunk:
    """Decode a few images here and now; `first` is the position of the first of them."""
    pixels = np.empty((len(images), size, size, 3), dtype=np.uint8)
    good: list[int] = []
    bad: list[tuple[int, str]] = []
    for i, source in enumerate(images):
        try:
            image = read_image(source, short_side=None if isinstance(fit, Frame) else size, box=boxes[i] if boxes else None, margin=margin)
            pixels[len(good)] = square(image, size, fit)
        except Unreadable as error:
            bad.append((first + i, error.reason))
        else:
            good.append(first + i)
    return Chunk(np.array(good, dtype=np.int64), pixels[: len(good)], bad)
