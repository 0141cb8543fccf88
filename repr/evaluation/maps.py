"""A map of the embedding: every image a point in the plane, near ones near."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from repr.arrays import Floats

COMPONENTS = 50  # of the PCA before t-SNE (van der Maaten & Hinton 2008, section 4.2 use 30; scikit-learn advises 50)


def flat_map(vectors: Floats, generator: np.random.Generator) -> tuple[Floats, str]:
    """(n, 2) positions within -1..1, and how they were made: "t-SNE", or "PCA" for fewer than 4 points.

    vectors: (n, d), L2-normalised, so that t-SNE's Euclidean neighbours are the cosine's; of more than some thousand rows t-SNE takes
    minutes on two cores.
    """
    n, dim = vectors.shape
    if n < 2 or not np.ptp(vectors, axis=0).any():
        return np.zeros((n, 2), np.float32), "PCA"  # nothing to spread
    seed = int(generator.integers(2**31))
    reduced = PCA(min(COMPONENTS, n, dim), random_state=seed).fit_transform(vectors)
    if n >= 4:
        tsne = TSNE(init="pca", perplexity=min(30.0, (n - 1) / 3), random_state=seed)
        return _scaled(tsne.fit_transform(reduced)), "t-SNE"
    two = np.zeros((n, 2), np.float32)
    two[:, : min(2, reduced.shape[1])] = reduced[:, :2]
    return _scaled(two), "PCA"


def _scaled(points: Floats) -> Floats:
    centred = points - (points.max(axis=0) + points.min(axis=0)) / 2
    return np.asarray(centred / max(float(np.abs(centred).max()), 1e-12), dtype=np.float32)
