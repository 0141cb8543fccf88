"""LSTM and BiLSTM on word2vec vectors: titles cleaned by rule, cut into terms, vectors learnt on the training part alone.

Word2vec: skip-gram with negative sampling (Mikolov et al., NeurIPS 2013) by gensim. LSTM states are pooled by their maximum
over the title (as in Conneau et al., EMNLP 2017).
"""

from __future__ import annotations

import zlib

import numpy as np
import torch
from torch import Tensor, nn

from repr.arrays import Bools, Floats, Ints
from repr.catalog.words import terms
from repr.classify.data import Data, Features
from repr.classify.prior import blank
from repr.classify.settings import Settings
from repr.classify.state import Restored, State, into_network, of_network
from repr.classify.texts import NO_TEXT
from repr.errors import UserError
from repr.learners.heads import ask, entropy, seeded
from repr.models.devices import pick_device
from repr.training.finetune import fit_network

LENGTH = 48  # terms of a title that are read; MEP-3M's have about 25
VECTOR, HIDDEN = 100, 128
WINDOW, PASSES, RARE = 5, 10, 2  # word2vec: context, passes over the titles, least count of a term
EPOCHS = 10
PAD, UNKNOWN = 0, 1


class Sentence(nn.Module):
    """Term numbers (b, LENGTH), 0 for padding → pooled states (b, dim) → (b, classes)."""

    def __init__(self, vectors: Floats, hidden: int, classes: int, *, both_ways: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(vectors), vectors.shape[1], padding_idx=PAD, _weight=torch.from_numpy(vectors))
        self.lstm = nn.LSTM(vectors.shape[1], hidden, batch_first=True, bidirectional=both_ways)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(hidden * (1 + both_ways), classes)

    def states(self, numbers: Tensor) -> Tensor:
        """(b, LENGTH) → (b, dim). A title has at least one number that is no padding."""
        lengths = (numbers != PAD).sum(dim=1)
        embedded = self.embedding(numbers[:, : int(lengths.max())])
        packed = nn.utils.rnn.pack_padded_sequence(embedded, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states, _ = nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True, padding_value=-torch.inf)
        return states.amax(dim=1)

    def forward(self, numbers: Tensor) -> Tensor:
        """The logits."""
        logits: Tensor = self.head(self.dropout(self.states(numbers)))
        return logits


class Recurrent:
    """A row's text → its class, by `lstm` or `bilstm`."""

    def __init__(self, settings: Settings, *, both_ways: bool | None = None) -> None:
        self.settings = settings
        self.both_ways = settings.model == "bilstm" if both_ways is None else both_ways
        self.note = ""

    def fit(self, data: Data, rows: Ints, labels: Ints, classes: int, generator: torch.Generator) -> Recurrent:
        """Learn from catalog rows (n,) with labels (n,) in 0..classes-1.

        Raises UserError when no training text has a term, or a package is missing.
        """
        settings = self.settings
        sentences = [terms(text)[:LENGTH] for text in data.texts.take(rows)]
        if not any(sentences):
            raise UserError("no training title has a word", data.catalog.name, NO_TEXT)
        self.number_, vectors = word2vec(sentences, settings.scaled(VECTOR), settings.seed)
        self.classes_ = classes
        numbers = self._numbers(sentences)
        some = numbers[:, 0] != PAD
        without = int(unknown_only(numbers[some]).sum())
        self.note = f"{len(self.number_):,} terms" + (f"; {without:,} training titles without a known one" if without else "")
        with seeded(generator):
            network = Sentence(vectors, settings.scaled(HIDDEN), classes, both_ways=self.both_ways)
            self.network_ = fit_network(
                network, torch.from_numpy(numbers[some]), torch.from_numpy(labels[some]), loss=entropy, generator=generator,
                device=pick_device(settings.device), **settings.training(EPOCHS),
            )  # fmt: skip
        return self

    def logits(self, data: Data, rows: Ints) -> Floats:
        """(len(rows), classes); NaN for rows without text."""
        numbers = self._numbers([terms(text)[:LENGTH] for text in data.texts.take(rows)])
        logits, some = blank(len(rows), self.classes_), numbers[:, 0] != PAD
        if some.any():
            logits[some] = ask(self.network_, torch.from_numpy(numbers[some]))
        return logits

    def state(self) -> State:
        """What it has learnt."""
        return of_network(self.network_) | State(words={"terms": tuple(self.number_)})

    def restore(self, state: Restored) -> Recurrent:
        """Take over what `state` gave. Raises UserError for what does not fit."""
        vectors = state.arrays.floats("embedding.weight", None, None)
        head = state.arrays.floats("head.weight", None, None)
        self.classes_ = len(head)
        self.number_ = {term: number + 2 for number, term in enumerate(state.words("terms", len(vectors) - 2))}
        hidden = head.shape[1] // (1 + self.both_ways)
        self.network_ = into_network(Sentence(np.zeros_like(vectors), hidden, self.classes_, both_ways=self.both_ways), state.arrays)
        return self

    def features(self, data: Data) -> Features:
        """The pooled states of every catalog row, for fusion on frozen features."""
        network = self.network_
        assert isinstance(network, Sentence)
        parts, present, unknown = [], [], []
        for texts in data.texts.blocks(np.arange(len(data.catalog))):
            numbers = self._numbers([terms(text)[:LENGTH] for text in texts])
            some = numbers[:, 0] != PAD
            numbers[~some, 0] = UNKNOWN
            unknown.append(some & unknown_only(numbers))
            with torch.inference_mode():
                device = next(network.parameters()).device
                parts.append(network.states(torch.from_numpy(numbers).to(device)).cpu().numpy())
            present.append(some)
        vectors, has_text = np.concatenate(parts), np.concatenate(present)
        vectors[~has_text] = 0
        return Features(vectors, has_text, f"{'bilstm' if self.both_ways else 'lstm'} ({vectors.shape[1]}-d)", np.concatenate(unknown))

    def unknown(self, data: Data, rows: Ints) -> int:
        """How many of the rows have a title of which no word is known."""
        numbers = self._numbers([terms(text)[:LENGTH] for text in data.texts.take(rows)])
        return int((unknown_only(numbers) & (numbers[:, 0] != PAD)).sum())

    def _numbers(self, sentences: list[list[str]]) -> Ints:
        numbers = np.full((len(sentences), LENGTH), PAD, np.int64)
        for row, sentence in enumerate(sentences):
            numbers[row, : len(sentence)] = [self.number_.get(term, UNKNOWN) for term in sentence]
        return numbers


def unknown_only(numbers: Ints) -> Bools:
    """(n,) which rows of (n, LENGTH) have no known term."""
    return np.asarray((numbers <= UNKNOWN).all(axis=1))


def word2vec(sentences: list[list[str]], dim: int, seed: int) -> tuple[dict[str, int], Floats]:
    """Term → number from 2 on, and the vectors (2 + terms, dim): row 0 for padding is 0, row 1 for unknown terms is the mean.

    Terms seen once are left out, unless there are no others. The same seed gives the same vectors.
    """
    try:
        from gensim.models import Word2Vec
    except ModuleNotFoundError:
        raise UserError("word2vec needs the package gensim", "", "Install it with `pip install 'product-repr[text]'`") from None
    counts: dict[str, int] = {}
    for sentence in sentences:
        for term in sentence:
            counts[term] = counts.get(term, 0) + 1
    least = RARE if max(counts.values()) >= RARE else 1
    model = Word2Vec(
        sentences, vector_size=dim, window=WINDOW, sg=1, epochs=PASSES, workers=1, seed=seed + 1, min_count=least,
        hashfxn=lambda text: zlib.crc32(str(text).encode()),
    )  # fmt: skip
    learnt = np.asarray(model.wv.vectors, np.float32)
    vectors = np.concatenate([np.zeros((1, dim), np.float32), learnt.mean(axis=0, keepdims=True), learnt])
    return {term: number + 2 for number, term in enumerate(model.wv.index_to_key)}, vectors
