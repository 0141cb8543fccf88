"""Full-catalogue classification: image, text and both, flat and by the class tree. One file a model.

Loads nothing heavy: the command line asks it for names alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from repr.classify.late import FUSERS


@dataclass(frozen=True)
class Entry:
    """One model of the table: what it looks at, "image", "text" or "image+text", and where it is, "module:Class"."""

    modality: str
    place: str


MODELS = {
    "vgg19": Entry("image", "repr.classify.image:Image"),
    "inception_v3": Entry("image", "repr.classify.image:Image"),
    "resnet50": Entry("image", "repr.classify.image:Image"),
    "resnet152": Entry("image", "repr.classify.image:Image"),
    "encoder": Entry("image", "repr.classify.image:Image"),
    "lstm": Entry("text", "repr.classify.recurrent:Recurrent"),
    "bilstm": Entry("text", "repr.classify.recurrent:Recurrent"),
    "bert": Entry("text", "repr.classify.bert:Bert"),
    "ngram": Entry("text", "repr.classify.ngram:NGram"),
    "concat": Entry("image+text", "repr.classify.fusion:Fusion"),
    "tfn": Entry("image+text", "repr.classify.fusion:Fusion"),
    "lmf": Entry("image+text", "repr.classify.fusion:Fusion"),
    "gated": Entry("image+text", "repr.classify.fusion:Fusion"),
    "sum": Entry("image+text", "repr.classify.fusion:Fusion"),
    "attention": Entry("image+text", "repr.classify.fusion:Fusion"),
    **{name: Entry("image+text", "repr.classify.late.model:Late") for name in FUSERS},
}
IMAGES = tuple(name for name, entry in MODELS.items() if entry.modality == "image")
FUSIONS = tuple(name for name, entry in MODELS.items() if entry.place.endswith(":Fusion"))  # on the features of two towers
ENCODERS = ("ngram", "bert", "lstm", "bilstm")  # of the titles, in image + text rows
PRESETS = ("paper", "grouped", "rakuten")
SUBSETS = ("outdoors", "meats", "accessories", "jewelries")  # the four of Table 8, Pattern Recognition 140 (2023) 109519
