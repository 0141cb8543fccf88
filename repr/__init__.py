"""Learn, measure and look up product representations.

From an image to a product in five lines:

    from repr import Index, embed, load
    for match in Index.open("shop.index").lookup("photo.jpg", k=5).matches:
        print(match.product, match.score, match.image)
    embedder = load("imagenet")                           # or a run folder, a .safetensors, a .pth
    vectors = embed(["a.jpg", "b.jpg"], embedder)         # (2, d) float32, length 1

Images are paths, bytes of files, Pillow's images or uint8 pixels. Nothing heavy is imported before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from repr.api import Index, embed, load

__all__ = ["Index", "embed", "load"]


def __getattr__(name: str) -> object:
    if name in __all__:
        return getattr(import_module("repr.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
