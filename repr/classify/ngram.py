"""Character n-grams and a linear machine: the strong, light default for titles of any script, with nothing to download.

TF-IDF of 2- to 4-grams within words (Chinese runs count as words), one-against-rest linear SVM; its margins are logits
that temperature scaling turns into probabilities. Above BIG rows or COEFFICIENTS the same in a form that streams (hashed.py).
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.svm import LinearSVC

from repr.arrays import Floats, Ints
from repr.classify.data import Data
from repr.classify.hashed import Hashed
from repr.classify.settings import Settings
from repr.classify.state import Restored, State
from repr.classify.texts import NO_TEXT
from repr.classify.tfidf import kept, restored, vectorizer
from repr.errors import UserError

BIG = 100_000  # training rows; their n-grams would take gigabytes
COEFFICIENTS = 5e7  # n-grams times classes. With 16,000 rows, 300,000 n-grams and 599 classes the SVM took 5.5 GB and 10 minutes
# Of the SVM, chosen on fashion's validation rows (level 2, masked titles, grouped): 79.2, 79.4 and 79.4 % with 0.5, 1 and 2 over 3
# seeds; 77.9, 79.8 and 79.7 % with 0.25, 1 and 4 (one seed).
C = 1.0


class NGram:
    """A row's text → margins of its class."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.note = ""

    def fit(self, data: Data, rows: Ints, labels: Ints, classes: int, generator: torch.Generator) -> NGram:
        """Learn from catalog rows (n,) with labels (n,) in 0..classes-1. Rows without text take no part.

        Raises UserError when the others are of fewer than two classes.
        """
        self.streamed_: Hashed | None = None
        if len(rows) > BIG:
            return self._stream(data, rows, labels, classes, generator)
        texts = data.texts.take(rows)
        has_text = np.array([bool(text) for text in texts])
        if len(np.unique(labels[has_text])) < 2:
            few = "the training rows with a text are of fewer than two classes"
            raise UserError(few, data.catalog.name, NO_TEXT)
        self.classes_ = classes
        self.vectorizer_ = vectorizer()
        features = self.vectorizer_.fit_transform([text for text in texts if text])
        if features.shape[1] * classes > COEFFICIENTS:
            return self._stream(data, rows, labels, classes, generator)
        if self.settings.epochs or self.settings.lr or self.settings.batch_size:
            self.note = "a support vector machine: epochs, learning rate and batch size say nothing to it"
        self.machine_ = LinearSVC(C=C, random_state=self.settings.seed).fit(features, labels[has_text])
        return self

    def state(self) -> State:
        """What it has learnt."""
        if self.streamed_ is not None:
            return self.streamed_.state() | State(facts={"streamed": True})
        machine = self.machine_
        arrays = {"coef": machine.coef_, "intercept": machine.intercept_, "known": machine.classes_, "classes": np.array(self.classes_)}
        return State(arrays, facts={"streamed": False}) | kept(self.vectorizer_)

    def restore(self, state: Restored) -> NGram:
        """Take over what `state` gave. Raises UserError for what does not fit."""
        self.streamed_ = Hashed(self.settings).restore(state) if state.fact("streamed") else None
        if self.streamed_ is not None:
            return self
        known = state.arrays.ints("known", None)
        coef = state.arrays.doubles("coef", None, None)
        self.machine_ = LinearSVC(C=C)
        self.machine_.classes_, self.machine_.coef_ = known, coef
        self.machine_.intercept_ = state.arrays.doubles("intercept", len(coef))
        self.machine_.n_features_in_ = coef.shape[1]
        self.vectorizer_ = restored(state, coef.shape[1])
        self.classes_ = state.arrays.whole("classes")
        return self

    def _stream(self, data: Data, rows: Ints, labels: Ints, classes: int, generator: torch.Generator) -> NGram:
        self.streamed_ = Hashed(self.settings).fit(data, rows, labels, classes, generator)
        self.note = self.streamed_.note
        return self

    def unknown(self, data: Data, rows: Ints) -> int | None:
        """How many of the rows have a text without a known n-gram; None where they are hashed, and none is unknown."""
        if self.streamed_ is not None:
            return None
        texts = [text for text in data.texts.take(rows) if text]
        return int((self.vectorizer_.transform(texts).getnnz(axis=1) == 0).sum()) if texts else 0

    def logits(self, data: Data, rows: Ints) -> Floats:
        """(len(rows), classes) margins; NaN for rows without text."""
        if self.streamed_ is not None:
            return self.streamed_.logits(data, rows)
        texts = data.texts.take(rows)
        margins = np.asarray(self.machine_.decision_function(self.vectorizer_.transform(texts)), np.float32)
        if margins.ndim == 1:  # two classes have one margin
            margins = np.stack([-margins, margins], axis=1)
        full = np.full((len(rows), self.classes_), margins.min(initial=0) - 10, np.float32)
        full[:, self.machine_.classes_] = margins
        full[[not text for text in texts]] = np.nan
        return full
