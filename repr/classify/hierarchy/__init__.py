"""Nets that predict every level of the class tree at once, and the measures that know the tree.

MEP-3M's journal paper (Liu et al., Pattern Recognition 140 (2023) 109519) draws its three nets in Fig. 10 only; the drawing is not in
the text, so the nets here follow its names and its text (frozen features, skip connections, one joint loss), and the rest is our design.
"""

NETS = {
    "flat": "repr.classify.hierarchy.flat:Flat",
    "coarse-to-fine": "repr.classify.hierarchy.coarse_to_fine:CoarseToFine",
    "fine-to-coarse": "repr.classify.hierarchy.fine_to_coarse:FineToCoarse",
    "coarse-and-fine": "repr.classify.hierarchy.coarse_and_fine:CoarseAndFine",
    "rnn": "repr.classify.hierarchy.rnn:Recurrent",
}
WEAK = ("masked", "children", "residual")  # what they make of rows whose fine labels are not known: see weak.py
