"""Learn, measure and look up product representations.

From an image to a product in five lines:

    from repr import Index, embed, load
    for match in Index.open("shop.index").lookup("photo.jpg", k=5):
        print(match.product, match.score, match.image)
    encoder = load("imagenet")                            # or a run folder, a .safetensors, a .pth
    vectors = embed(["a.jpg", "b.jpg"], encoder)          # (2, d) float32, length 1

Nothing heavy is imported before it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from repr.lookup.index import Index
    from repr.models.encoder import Encoder

__all__ = ["Index", "embed", "load"]


def load(
    weights: str | Path = "imagenet", *, size: int | None = None, crops: Sequence[float] | None = None, device: str = "auto"
) -> Encoder:
    """The encoder of a run folder, a .safetensors or .pth file, or "imagenet", ready to embed.

    size: image side in pixels, default that of the weights. crops: the shares of the image's side that are embedded and averaged,
    default those of the weights, else the whole image. Raises UserError when they cannot be read.
    """
    from repr.models.devices import pick_device
    from repr.models.weights import load_encoder

    return load_encoder(weights, size=size, crops=None if crops is None else tuple(crops), device=str(pick_device(device)))


def embed(
    images: Sequence[str | Path], encoder: Encoder | str | Path = "imagenet", *, device: str = "auto", workers: int | None = None
) -> npt.NDArray[np.float32]:
    """(n, d) float32 vectors of length 1 for image files, in order; their inner products are cosines.

    encoder: what `load` returns or takes. Raises UserError when a image cannot be read, naming the first.
    """
    from repr.embedding.embed import embed_files
    from repr.errors import UserError

    model = load(encoder, device=device) if isinstance(encoder, str | Path) else encoder
    vectors, _, unreadable = embed_files(model, images, device=device, workers=workers)
    if unreadable:
        more = f" ({len(unreadable)} of {len(images)} images cannot be read)" if len(unreadable) > 1 else ""
        raise UserError(unreadable[0].reason + more, unreadable[0].path, "Leave it out or mend it")
    return vectors


def __getattr__(name: str) -> Any:
    if name == "Index":
        from repr.lookup.index import Index

        return Index
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
