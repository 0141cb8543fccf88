"""TF-IDF of the character n-grams within words, of any script."""

from __future__ import annotations

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

GRAMS = (2, 4)


def vectorizer() -> TfidfVectorizer:
    """Not yet fitted. Terms of a document count by 1 + log; Chinese runs count as words."""
    return TfidfVectorizer(analyzer="char_wb", ngram_range=GRAMS, sublinear_tf=True, min_df=1, dtype=np.float32)
