"""What a program needs of this package, in one place: load an encoder, embed images, open an index."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from repr.arrays import Floats
from repr.embedding.embedder import Embedder
from repr.errors import UserError
from repr.images.reader import ImageLike
from repr.lookup.index import Index
from repr.models.weights import load_encoder

__all__ = ["Index", "embed", "load"]


def load(
    weights: str | Path = "imagenet",
    *,
    size: int | None = None,
    crops: Sequence[float] | None = None,
    device: str = "auto",
    workers: int | None = None,
) -> Embedder:
    """The encoder of a run folder, a .safetensors or .pth file, or "imagenet", made ready to embed.

    size: image side in pixels, default that of the weights. crops: the shares of the image's side that are embedded and averaged,
    default those of the weights, else the whole image. device: "auto", "cpu", "cuda" or "cuda:N". workers: threads that decode,
    default one a core. Raises UserError when the weights cannot be read, or the device is not there.
    """
    encoder = load_encoder(weights, size=size, crops=None if crops is None else tuple(crops))
    return Embedder(encoder, device=device, workers=workers)


def embed(images: Sequence[ImageLike], embedder: Embedder | str | Path = "imagenet") -> Floats:
    """(n, d) float32 vectors of length 1 for images, in order; their inner products are cosines.

    images: paths, bytes of files, Pillow's images, (h, w, 3) uint8 pixels, mixed as they come. embedder: what `load` returns, or
    takes; load it once where many calls follow. Raises UserError when an image cannot be read, naming the first
    (`Embedder.images` goes on without it).
    """
    embeddings = (embedder if isinstance(embedder, Embedder) else load(embedder)).images(images)
    if embeddings.quarantine:
        first, n = embeddings.quarantine[0], len(embeddings.quarantine)
        more = f" ({n} of {len(images)} images cannot be read)" if n > 1 else ""
        raise UserError(first.reason + more, first.path, "Leave it out or mend it")
    return embeddings.vectors
