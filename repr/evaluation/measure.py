"""All numbers of one encoder on one task: a row of the table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from repr.arrays import Bools, Floats, Ints
from repr.errors import UserError
from repr.evaluation.knn import TEMPERATURE, K, knn
from repr.evaluation.linear import EPOCHS, linear_probe
from repr.evaluation.resolution import Range
from repr.evaluation.retrieval import KS, Retrieval, retrieval, right_on_level
from repr.training.alarms import effective_rank, spread
from repr.vectors import normalised

RANK_ROWS = 10_000  # of the bank; the rank of more differs little and takes gigabytes


@dataclass(frozen=True)
class Constants:
    """Of the measurement; see knn.py and linear.py for where they come from. seed: of the probe's weights and order, the same for
    every row of a table."""

    k: int = K
    temperature: float = TEMPERATURE
    epochs: int = EPOCHS
    seed: int = 0

    def as_json(self) -> dict[str, Any]:
        """Every constant, to be printed beside the numbers."""
        return {
            "knn": {"k": self.k, "temperature": self.temperature, "metric": "cosine", "vote": "exp(s/T)"},
            "linear": {
                "epochs": self.epochs,
                "optimiser": "SGD 0.1 x batch/256, momentum 0.9, cosine, no decay",
                "augmentation": None,
                "seed": self.seed,
            },
            "retrieval": {"metric": "cosine", "recall_at": list(KS)},
        }


@dataclass(frozen=True)
class Row:
    """The numbers of one encoder; rates are fractions 0-1. correct: (q,) whether kNN is right, for breakdowns."""

    name: str
    knn_top1: float
    knn_top5: float
    knn_k: int
    linear_top1: float | None
    linear_train: float | None
    retrieval: Retrieval
    by_level: dict[int, float | None]
    effective_rank: float
    spread: float
    dim: int
    bank: int
    queries: int
    correct: Bools
    synthetic: bool = False
    by_resolution: list[Range] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The row as the command prints it."""
        return {
            "name": self.name,
            "knn_top1": self.knn_top1,
            "knn_top5": self.knn_top5,
            "knn_k": self.knn_k,
            "linear_top1": self.linear_top1,
            "linear_train": self.linear_train,
            "retrieval": {"micro": self.retrieval.micro, "macro": self.retrieval.macro},
            "lone_queries": self.retrieval.lone,
            "nearest_right_by_level": {str(level): share for level, share in self.by_level.items()},
            "by_resolution": self.by_resolution,
            "effective_rank": self.effective_rank,
            "spread": self.spread,
            "dim": self.dim,
            "stored": self.bank,
            "queries": self.queries,
            "synthetic": self.synthetic,
        }


def measure(
    name: str,
    bank: Floats,
    bank_labels: Ints,
    queries: Floats | None,
    query_labels: Ints,
    constants: Constants,
    *,
    bank_levels: dict[int, Ints] | None = None,
    query_levels: dict[int, Ints] | None = None,
    device: str | torch.device = "cpu",
    synthetic: bool = False,
) -> Row:
    """Measure raw features bank (n, d) and queries (q, d), or every row of the bank against the others when queries is None.

    kNN and retrieval compare by cosine; the linear probe, which needs queries apart, takes the features as they are. A lone query,
    whose class has no image to find, counts for none of the three. Raises UserError when no query has anything to find.
    """
    unit = normalised(bank)
    asked = unit if queries is None else normalised(queries)
    own = np.arange(len(unit)) if queries is None else None
    try:
        found = retrieval(asked, query_labels, None if queries is None else unit, None if queries is None else bank_labels)
    except UserError as error:
        raise UserError(error.message, name, error.remedy) from None
    answerable = found.rows
    neighbours = knn(unit, bank_labels, asked, k=constants.k, temperature=constants.temperature, own=own)
    probe = None
    if queries is not None:
        generator = torch.Generator().manual_seed(constants.seed)
        probe = linear_probe(bank, bank_labels, queries, generator=generator, epochs=constants.epochs, device=device)
    numbers = list(query_levels or {})
    pairs = [((query_levels or {})[n], (bank_levels or {})[n]) for n in numbers]
    shares = [right_on_level(found.nearest, *pair, apart=queries is not None) for pair in pairs]
    some = torch.from_numpy(unit[np.linspace(0, len(unit) - 1, min(len(unit), RANK_ROWS)).astype(np.int64)])
    return Row(
        name,
        neighbours.accuracy(query_labels, rows=answerable),
        neighbours.accuracy(query_labels, 5, rows=answerable),
        neighbours.k,
        None if probe is None else probe.accuracy(query_labels, rows=answerable),
        None if probe is None else probe.train_accuracy,
        found,
        dict(zip(numbers, shares, strict=True)),
        effective_rank(some),
        spread(some),
        bank.shape[1],
        len(bank),
        len(asked),
        neighbours.predictions[:, 0] == query_labels,
        synthetic,
    )
