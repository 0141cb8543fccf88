"""Frozen text features with nothing to download: character n-grams, condensed by a singular value decomposition.

Latent semantic analysis (Deerwester et al., JASIS 1990) of the n-grams' TF-IDF, fitted on the training titles alone.
"""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from repr.arrays import Ints
from repr.classify.data import Data, Features
from repr.classify.settings import Settings
from repr.classify.state import Restored, State
from repr.classify.texts import NO_TEXT
from repr.classify.tfidf import kept, restored, vectorizer
from repr.errors import UserError

# Chosen on fashion's validation rows (level 2, masked titles, grouped; a linear head on these features): 77.5 % with 512 and 77.9 %
# with 768 over 3 seeds, 66.6, 75.9 and 78.0 % with 128, 256 and 384 where 512 had 78.1 (one seed). 768 costs half as much again.
DIM = 512
PASSES = 3  # power iterations of the randomised decomposition (Halko et al., SIAM Review 2011)


class Lsa:
    """Texts → (n, d). terms, condensed: fitted, or restored."""

    def __init__(self, terms: TfidfVectorizer, condensed: TruncatedSVD) -> None:
        self.terms, self.condensed = terms, condensed

    def __call__(self, data: Data) -> Features:
        """The features of every row's text."""
        every = np.arange(len(data.catalog))
        vectors, present, known = [], [], []
        for block in data.texts.blocks(every):
            counts = self.terms.transform(block)
            vectors.append(np.asarray(self.condensed.transform(counts), np.float32))
            present.append([bool(text) for text in block])
            known.append(counts.getnnz(axis=1) > 0)
        there = np.concatenate(present)
        dim = len(self.condensed.components_)
        return Features(np.concatenate(vectors), there, f"n-grams ({dim}-d)", there & ~np.concatenate(known))

    def state(self) -> State:
        """What it has learnt."""
        return State({"components": self.condensed.components_}) | kept(self.terms)

    @classmethod
    def restore(cls, state: Restored) -> Lsa:
        """What `state` gave. Raises UserError for what does not fit."""
        components = state.arrays.floats("components", None, None)
        condensed = TruncatedSVD(len(components))
        condensed.components_, condensed.n_features_in_ = components, components.shape[1]
        return cls(restored(state, components.shape[1]), condensed)


def lsa_encoder(data: Data, settings: Settings, rows: Ints) -> Lsa:
    """What makes (n, d) of every catalog row, learnt from the texts of `rows`; d at most DIM times the scale.

    Raises UserError when all are empty.
    """
    known = [text for text in data.texts.take(np.unique(rows)) if text]
    if not known:
        raise UserError("no training row has a text", data.catalog.name, NO_TEXT)
    terms = vectorizer()
    counted = terms.fit_transform(known)
    dim = min(settings.scaled(DIM), min(counted.shape) - 1)
    if dim < 1:
        raise UserError("the training titles are too few or all alike", data.catalog.name, "Give more titles")
    return Lsa(terms, TruncatedSVD(dim, n_iter=PASSES, random_state=settings.seed).fit(counted))
