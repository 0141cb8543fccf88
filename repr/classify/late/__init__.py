"""Late fusion: what is learnt on the calibrated probabilities of an image model and a text model. One file a way to fuse.

Loads nothing heavy: the command line asks it for names alone.
"""

from __future__ import annotations

FUSERS = {
    "vote": "repr.classify.late.vote:Vote",
    "mean": "repr.classify.late.mean:WeightedMean",
    "product": "repr.classify.late.product:WeightedProduct",
    "layer": "repr.classify.late.layers:Layers",
    "layers": "repr.classify.late.layers:Layers",
    "stacking": "repr.classify.late.stacking:Stacking",
    "boosting": "repr.classify.late.boosting:Boosting",
    "committee": "repr.classify.late.committee:Committee",
}
