"""Full-catalogue classification: image, text and both, flat and by the class tree. One file a model.

Loads nothing heavy: the command line asks it for names alone.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One model of the table: what it looks at, "image", "text" or "image+text", and where it is, "module:Class"."""

    modality: str
    place: str


MODELS = {
    "ngram": Entry("text", "repr.classify.ngram:NGram"),
}
PRESETS = ("paper", "grouped")
SUBSETS = ("outdoors", "meats", "accessories", "jewelries")  # the four of Table 8, Pattern Recognition 140 (2023) 109519
