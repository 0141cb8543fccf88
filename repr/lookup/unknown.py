"""Is a photograph of one of ours? A small calibrated combination of signals, fitted on the stored images by leaving products out.

    confidence   log p / (1 − p) of the best product, by the calibrated probabilities
    nearest      cosine to the best product's nearest image: strangers of another kind are far from all
    typical      cosine to the best product's mean image, less what its own images usually have to the mean of the others

Their sum is a logistic regression with weights that cannot be negative: each signal only ever speaks for "ours". Held out of each fifth of
the stored images are a fifth of the products, who are strangers to what is taught then, and groups of like photographs of the others
(`held_out`). Tried beside these on grocery's training images, chosen by cross-validation and the official val part, and left out:
agreement and density of the ten nearest images (0.00 to 0.01 of AUROC), and the raw score, whose size moves with the number of products,
so that its threshold accepted 48 instead of 95 % of val's known products. AUROC by the three: 0.76 for products left out (by p alone 0.72,
by the raw score 0.71), 0.99 against fruits and 1.00 against fashion (by p alone 0.86 and 0.94).

A fourth and a fifth signal were chosen on validation images of grocery and freiburg, where they gained 0.02 and 0.03: LDA's own measure
(the relative Mahalanobis distance of Ren et al. 2021) and the best product's nearest image in the space that LDA whitens. On the test
images of the two they gained 0.004 ± 0.010 and 0.007 ± 0.007, and cost 0.01 against fruits: left out. No better on both sets were the
cosine to the class mean within the span of the means, distances over each class's own leave-one-out distances, the k nearest images in
either space, the energy of the scores, the ratio of first to second, and the residual of ViM (Wang et al. 2022).
"""

from __future__ import annotations

import numpy as np

from repr.arrays import Doubles, Floats
from repr.learners.arrays import log_odds
from repr.lookup.gallery import Gallery
from repr.lookup.ranking import SHORTLIST, Ranking
from repr.vectors import normalised

SIGNALS = ("confidence", "nearest", "typical")
SUREST = 30.0  # of log-odds: nobody is surer


def signals_of(x: Floats, ranking: Ranking, gallery: Gallery, *, temperature: float, usual: float) -> Doubles:
    """(q, 3) SIGNALS of features x (q, d), whose best products `ranking` holds."""
    directions = normalised(x) if len(x) else x
    shortlist = ranking.scores[:, :SHORTLIST].astype(np.float64) / temperature
    confidence = np.clip(log_odds(shortlist), -SUREST, SUREST)
    nearest, typical = np.empty(len(x)), np.empty(len(x))
    best = ranking.columns[:, 0]
    for number in np.unique(best):
        mine = best == number
        vectors = gallery.unit(gallery.rows_of(int(number)))
        nearest[mine] = (directions[mine] @ vectors.T).max(axis=1)
        typical[mine] = directions[mine] @ _direction(vectors) - (usual if len(vectors) == 1 else float(_to_others(vectors).mean()))
    return np.column_stack([confidence, nearest, typical]).astype(np.float64)


def _direction(vectors: Floats) -> Floats:
    """(d,) that of the mean of vectors (m, d)."""
    total = vectors.sum(axis=0)
    return np.asarray(total / max(float(np.linalg.norm(total)), np.finfo(np.float32).tiny), dtype=np.float32)


def _to_others(vectors: Floats) -> Floats:
    """(m,) cosine of each vector of length 1 to the mean of the others, of two or more."""
    others = vectors.sum(axis=0) - vectors
    lengths = np.maximum(np.linalg.norm(others, axis=1), np.finfo(np.float32).tiny)
    return np.asarray(np.einsum("md,md->m", vectors, others) / lengths, dtype=np.float32)


def usual_of(gallery: Gallery) -> float:
    """The cosine of an image to the mean of its product's other images, on average over products of several images; 1 where none has."""
    cosines = []
    for number in gallery.present.tolist():
        if len(rows := gallery.rows_of(number)) > 1:
            vectors = gallery.unit(rows)
            cosines.append(float(_to_others(vectors).mean()))
    return float(np.mean(cosines)) if cosines else 1.0
