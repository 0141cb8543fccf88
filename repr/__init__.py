"""Learn, measure and look up product representations.

From an image to a product in five lines:

    from repr import Index, embed, load
    for match in Index.open("shop.index").lookup("photo.jpg", k=5).matches:
        print(match.product, match.score, match.image)
    embedder = load("imagenet")                           # or a run folder, a .safetensors, a .pth
    vectors = embed(["a.jpg", "b.jpg"], embedder)         # (2, d) float32, length 1

    Classifier.load("runs/mine").predict(title="…").answer   # a run of `repr classify`

Images are paths, bytes of files, Pillow's images or uint8 pixels. Nothing heavy is imported before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from repr.api import Index, embed, load
    from repr.classify.predict import Classifier

__all__ = ["Classifier", "Index", "embed", "load"]
PLACES = {"Classifier": "repr.classify.predict"}  # of those that are not in repr.api


def __getattr__(name: str) -> object:
    if name in __all__:
        return getattr(import_module(PLACES.get(name, "repr.api")), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
