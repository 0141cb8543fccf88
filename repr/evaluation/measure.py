"""All numbers of one encoder on one task: a row of the table."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from repr.arrays import Bools, Floats, Ints
from repr.errors import UserError
from repr.evaluation.knn import TEMPERATURE, K, knn
from repr.evaluation.linear import EPOCHS, linear_probe
from repr.evaluation.resolution import Range
from repr.evaluation.retrieval import Retrieval, retrieval, right_on_level
from repr.files import content_key
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

    def about(self) -> dict[str, str | int | float]:
        """Every constant by name, to stand beside the numbers."""
        return {
            "knn_k": self.k,
            "knn_temperature": self.temperature,
            "knn_vote": "exp(cosine/T)",
            "linear_epochs": self.epochs,
            "linear_optimiser": "SGD 0.1 x batch/256, momentum 0.9, cosine, no decay, no augmentation",
            "linear_seed": self.seed,
            "retrieval_metric": "cosine",
        }


@dataclass(frozen=True)
class Row:
    """The numbers of one encoder; rates are fractions 0-1.

    correct: (q,) whether kNN is right, for breakdowns. key: of the labels, stored and searched for, in their order.
    """

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
    key: str = ""
    synthetic: bool = False
    by_resolution: list[Range] = field(default_factory=list)

    def metrics(self) -> dict[str, float | None]:
        """The numbers by name, None where one does not apply.

        Retrieval's micro means go by their own names, the macro means by "macro/recall@1" and so on. "level/2": whether the nearest one is
        right on that level. "resolution/76-150": kNN on images whose shorter side is that long, "images/76-150": how many those are.
        """
        numbers: dict[str, float | None] = {"knn_top1": self.knn_top1, "knn_top5": self.knn_top5}
        numbers |= {"linear_top1": self.linear_top1, "linear_train": self.linear_train, **self.retrieval.micro}
        numbers |= {f"macro/{name}": mean for name, mean in self.retrieval.macro.items()}
        numbers |= {f"level/{level}": share for level, share in self.by_level.items()}
        for one in self.by_resolution:
            sides = f"{one['from']}-{one['to'] or ''}"
            numbers |= {f"resolution/{sides}": one["accuracy"], f"images/{sides}": one["n"]}
        return numbers | {"lone_queries": self.retrieval.lone, "effective_rank": self.effective_rank, "spread": self.spread}


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
    query_vectors = unit if queries is None else normalised(queries)
    own = np.arange(len(unit)) if queries is None else None
    try:
        ranked = retrieval(query_vectors, query_labels, None if queries is None else unit, None if queries is None else bank_labels)
    except UserError as error:
        raise UserError(error.message, name, error.remedy) from None
    answerable = ranked.rows
    neighbours = knn(unit, bank_labels, query_vectors, k=constants.k, temperature=constants.temperature, own=own)
    probe = None
    if queries is not None:
        generator = torch.Generator().manual_seed(constants.seed)
        probe = linear_probe(bank, bank_labels, queries, generator=generator, epochs=constants.epochs, device=device)
    numbers = list(query_levels or {})
    pairs = [((query_levels or {})[n], (bank_levels or {})[n]) for n in numbers]
    shares = [right_on_level(ranked.nearest, *pair, apart=queries is not None) for pair in pairs]
    some = torch.from_numpy(unit[np.linspace(0, len(unit) - 1, min(len(unit), RANK_ROWS)).astype(np.int64)])
    return Row(
        name,
        neighbours.accuracy(query_labels, rows=answerable),
        neighbours.accuracy(query_labels, 5, rows=answerable),
        neighbours.k,
        None if probe is None else probe.accuracy(query_labels, rows=answerable),
        None if probe is None else probe.train_accuracy,
        ranked,
        dict(zip(numbers, shares, strict=True)),
        effective_rank(some),
        spread(some),
        bank.shape[1],
        len(bank),
        len(query_vectors),
        neighbours.predictions[:, 0] == query_labels,
        content_key(bank_labels.tobytes(), query_labels.tobytes()),
        synthetic,
    )
