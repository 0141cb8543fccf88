"""The light text model for millions of titles: hashed character n-grams, a linear classifier of low rank, streamed.

Joulin et al., Bag of Tricks for Efficient Text Classification, EACL 2017: the mean of the n-grams' vectors, then the classes;
n-grams share DIM-dimensional vectors in BUCKETS places, so that memory does not grow with rows or vocabulary. Texts are made from
the catalog's Arrow columns batch by batch. Adagrad, since each batch touches few of the vectors.
"""

from __future__ import annotations

from math import ceil

import numpy as np
import torch
from torch import Tensor, nn

from repr.arrays import Floats, Ints
from repr.catalog.words import LONGEST
from repr.classify.data import Data
from repr.classify.settings import Settings
from repr.classify.state import Restored, State, into_network, of_network
from repr.classify.texts import NO_TEXT, Texts
from repr.errors import UserError
from repr.learners.heads import entropy, seeded
from repr.models.devices import pick_device
from repr.training.finetune import fit_network

BUCKETS, DIM = 1 << 20, 64  # 256 MB of float32, and as much for the optimiser
SIZES = (2, 3, 4)
EPOCHS, RATE, BATCH = 3, 0.1, 512
# That training sees at least, so that small sets get more epochs. On fashion's 14,390 rows (level 2, masked, validation, 2 seeds): 78.7 %
# with the 70 epochs of it, 75.0 % with 3; the SVM 79.6 %.
TITLES = 1_000_000
ROWS = 4096  # titles at a time when asked
PRIME = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: Knuth's multiplicative hashing


class Hashed:
    """A row's text → its class."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.note = f"hashed n-grams, streamed, by Adagrad at {settings.lr or RATE:g} in batches of {settings.batch_size or BATCH}"

    def fit(self, data: Data, rows: Ints, labels: Ints, classes: int, generator: torch.Generator) -> Hashed:
        """Learn from catalog rows (n,) with labels (n,) in 0..classes-1. Raises UserError where none of them has a text."""
        settings = self.settings
        self.classes_ = classes
        if not any(any(block) for block in data.texts.blocks(rows)):
            raise UserError("no training row has a text", data.catalog.name, NO_TEXT)
        epochs = max(EPOCHS, ceil(TITLES / max(1, len(rows))))
        training = settings.training(epochs) | {"lr": settings.lr or RATE, "batch_size": settings.batch_size or BATCH}
        with seeded(generator), torch.sparse.check_sparse_tensor_invariants(False):  # type: ignore[no-untyped-call]
            self.network_ = fit_network(
                GramNet(data.texts, settings.scaled(DIM), classes), torch.from_numpy(rows), torch.from_numpy(labels),
                loss=entropy, generator=generator, optimiser="adagrad", device=pick_device(settings.device), **training,
            )  # fmt: skip
        return self

    def state(self) -> State:
        """What it has learnt."""
        return of_network(self.network_)

    def restore(self, state: Restored) -> Hashed:
        """Take over what `state` gave. Raises UserError for what does not fit."""
        head = state.arrays.floats("head.weight", None, None)
        self.classes_ = len(head)
        self.network_ = into_network(GramNet(None, head.shape[1], self.classes_), state.arrays)
        return self

    def logits(self, data: Data, rows: Ints) -> Floats:
        """(len(rows), classes); NaN for rows without text."""
        network = self.network_
        assert isinstance(network, GramNet)
        logits = np.empty((len(rows), self.classes_), np.float32)
        with torch.inference_mode():
            for first in range(0, len(rows), ROWS):
                texts = data.texts.take(rows[first : first + ROWS])
                part = network.of_texts(texts).cpu().numpy()
                part[[not text for text in texts]] = np.nan
                logits[first : first + ROWS] = part
        return logits


class GramNet(nn.Module):
    """Catalog rows (b,) int64 → logits (b, classes), by way of their texts, which it is trained on."""

    def __init__(self, texts: Texts | None, dim: int, classes: int) -> None:
        super().__init__()
        self.texts = texts
        self.vectors = nn.EmbeddingBag(BUCKETS, dim, mode="mean", sparse=True)
        nn.init.uniform_(self.vectors.weight, -1 / dim, 1 / dim)
        self.head = nn.Linear(dim, classes)

    def forward(self, rows: Tensor) -> Tensor:
        """The logits."""
        assert self.texts is not None, "a restored one is asked by its texts"
        return self.of_texts(self.texts.take(rows.cpu().numpy()))

    def of_texts(self, texts: list[str]) -> Tensor:
        """The logits of texts; an empty one is two blanks."""
        places, starts = grams(texts)
        device = self.head.weight.device
        logits: Tensor = self.head(self.vectors(torch.from_numpy(places).to(device), torch.from_numpy(starts).to(device)))
        return logits


def grams(texts: list[str]) -> tuple[Ints, Ints]:
    """The places of all character n-grams of SIZES of folded texts, text by text, (m,) in 0..BUCKETS-1, and where each text's begin, (n,).

    A text begins and ends with a blank, which counts; at most LONGEST characters of it are read.
    """
    joined = "\n".join(f" {text[:LONGEST].casefold()} " for text in texts) + "\n"
    codes = np.frombuffer(joined.encode("utf-32-le"), np.uint32).astype(np.uint64)
    breaks = codes == 10
    document = np.cumsum(breaks) - breaks
    shift = np.uint64(64 - BUCKETS.bit_length() + 1)
    places, owners = [], []
    value = np.zeros(len(codes), np.uint64)
    for size in range(1, max(SIZES) + 1):
        start = len(codes) - size + 1
        value = value[:start] * PRIME + codes[size - 1 :] + np.uint64(size)
        if size in SIZES:
            whole = (document[:start] == document[size - 1 :]) & ~breaks[size - 1 :]
            mixed = value[whole] ^ (value[whole] >> np.uint64(29))
            places.append(((mixed * PRIME) >> shift).astype(np.int64))
            owners.append(document[:start][whole])
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    return np.concatenate(places)[order], np.searchsorted(owner[order], np.arange(len(texts))).astype(np.int64)
