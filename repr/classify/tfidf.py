"""TF-IDF of the character n-grams within words, of any script."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from repr.classify.state import Restored, State

GRAMS = (2, 4)


def vectorizer(terms: Sequence[str] | None = None) -> TfidfVectorizer:
    """Not yet fitted; to `terms` where they are known. Terms of a document count by 1 + log; Chinese runs count as words."""
    return TfidfVectorizer(analyzer="char_wb", ngram_range=GRAMS, sublinear_tf=True, min_df=1, dtype=np.float32, vocabulary=terms)


def kept(fitted: TfidfVectorizer) -> State:
    """Its terms and their weights."""
    return State({"idf": np.asarray(fitted.idf_)}, {"terms": tuple(fitted.get_feature_names_out().tolist())})


def restored(state: Restored, columns: int) -> TfidfVectorizer:
    """The vectorizer of a model that knows so many terms. Raises UserError for another number of terms."""
    made = vectorizer(state.words("terms", columns))
    made.idf_ = state.arrays.floats("idf", columns)
    return made
