"""Character n-grams against scikit-learn put together by hand; what is kept answers the same; what has no text says so."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from repr.arrays import Ints
from repr.catalog.table import Catalog
from repr.classify import ngram
from repr.classify.data import Data
from repr.classify.hashed import Hashed
from repr.classify.ngram import NGram
from repr.classify.recurrent import Recurrent
from repr.classify.settings import Settings
from repr.classify.state import Restored
from repr.errors import UserError

TRAIN, TEST = np.arange(120), np.arange(120, 160)


def labels_of(rows: Ints) -> Ints:
    return np.asarray(rows % 4, np.int64)


def fitted(catalog: Catalog, rows: Ints = TRAIN, classes: int = 4, **settings: object) -> NGram:
    model = NGram(Settings(model="ngram", **settings))  # type: ignore[arg-type]
    return model.fit(Data(catalog), rows, labels_of(rows), classes, torch.Generator().manual_seed(0))


def test_margins_are_scikit_learns(shop: Catalog) -> None:
    texts = [" ".join(text.split()) for text in shop.column("title")]
    reference = make_pipeline(
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=fitted(shop).vectorizer_.sublinear_tf, min_df=1),
        LinearSVC(C=ngram.C, random_state=0),
    ).fit([texts[row] for row in TRAIN], labels_of(TRAIN))
    ours = fitted(shop).logits(Data(shop), TEST)
    theirs = reference.decision_function([texts[row] for row in TEST])
    assert (ours.argmax(axis=1) == theirs.argmax(axis=1)).mean() > 0.97 and np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.98


def test_a_class_without_a_text_is_below_all_others(shop: Catalog) -> None:
    """Of five classes four are trained: the fifth is never answered, by a margin."""
    logits = fitted(shop, classes=5).logits(Data(shop), TEST)
    assert logits.shape == (40, 5) and (logits[:, 4] < logits[:, :4].min()).all()


def test_two_classes_have_two_margins(shop: Catalog) -> None:
    rows = TRAIN[TRAIN % 4 < 2]
    logits = fitted(shop, rows, classes=2).logits(Data(shop), TEST)
    np.testing.assert_array_equal(logits[:, 0], -logits[:, 1])
    mine = TEST % 4 < 2
    assert (logits[mine].argmax(axis=1) == TEST[mine] % 4).mean() > 0.9


def test_one_class_alone_is_refused(shop: Catalog) -> None:
    with pytest.raises(UserError, match="the training rows with a text are of fewer than two classes"):
        fitted(shop, TRAIN[TRAIN % 4 == 1])


@pytest.mark.parametrize("model", ["ngram", "streamed", "hashed", "lstm"])
def test_hidden_texts_say_nothing_and_what_is_kept_answers_the_same(shop: Catalog, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngram, "BIG", 50 if model == "streamed" else ngram.BIG)
    settings = Settings(model="ngram" if model != "lstm" else "lstm", epochs=2, scale=0.1)
    kinds = {"ngram": NGram, "streamed": NGram, "hashed": Hashed, "lstm": Recurrent}
    made = kinds[model](settings)
    learnt = made.fit(Data(shop), TRAIN, labels_of(TRAIN), 4, torch.Generator().manual_seed(0))
    logits = learnt.logits(Data(shop), TEST)
    assert np.isfinite(logits).all() and np.isnan(learnt.logits(Data(shop).without("text"), TEST)).all()
    again = kinds[model](settings).restore(Restored(learnt.state(), "kept"))
    np.testing.assert_array_equal(again.logits(Data(shop), TEST), logits)


def test_settings_that_say_nothing_to_a_support_vector_machine_are_noted(shop: Catalog) -> None:
    assert fitted(shop).note == ""
    assert fitted(shop, lr=0.1).note == "a support vector machine: epochs, learning rate and batch size say nothing to it"


def test_texts_without_a_known_n_gram_are_counted(shop: Catalog) -> None:
    model = fitted(shop, TRAIN[:40])
    assert model.unknown(Data(shop), TEST) == 0 and model.unknown(Data(shop).without("text"), TEST) == 0
