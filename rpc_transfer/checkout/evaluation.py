"""Automatic checkout measured: the strict numbers and rpctool's, at each level and over all images.

Strict: one threshold for all levels, given or chosen on validation data; every image counts, and one without a box is an empty list.
rpctool: as the public leaderboard has it (`rpc_transfer.checkout.rpctool`), to compare with published figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from repr.arrays import Bools
from repr.catalog.passed import PassedOver, Tally
from repr.errors import UserError
from rpc_transfer.checkout import rpctool
from rpc_transfer.checkout.counting import Counts, Tape
from rpc_transfer.checkout.files import LEVELS, Counter, Detected, read_counter, read_detected
from rpc_transfer.checkout.precision import Precision, precisions

Mode = Literal["strict", "rpctool"]
AVERAGED = "averaged"
ROWS = (*LEVELS, AVERAGED)
EVERY = 0.0  # the threshold that takes every box
PROTOCOLS = {
    "A0": "exemplars and a background alone",
    "A1": "exemplars and unlabelled checkout images",
    "B": "unlabelled test images too",
    "C": "labelled validation scenes",
    "I": "class-incremental",
}
NONE = Precision(None, None)


@dataclass(frozen=True)
class Level:
    """The metrics of a level, fractions 0 to 1 (ACD: boxes an image), None where there is nothing to measure."""

    cAcc: float | None
    ACD: float | None
    mCCD: float | None
    mCIoU: float | None
    threshold: float | None
    images: int
    mAP50: float | None
    mmAP: float | None

    @classmethod
    def of(cls, counts: Counts, threshold: float | None, precision: Precision) -> Level:
        """Of what was counted at a threshold."""
        numbers = counts.cAcc, counts.ACD, counts.mCCD, counts.mCIoU
        return cls(*numbers, threshold, counts.images, precision.mAP50, precision.mmAP)


@dataclass(frozen=True)
class Evaluation:
    """Both modes, by level. absent: how many products of the table have no box in the truth, by level: mCCD and mCIoU (strict) leave
    them out. protocol: what was learnt from, one of PROTOCOLS, None where nobody said."""

    modes: Mapping[Mode, Mapping[str, Level]]
    absent: Mapping[str, int]
    protocol: str | None
    passed_over: tuple[PassedOver, ...]


@dataclass(frozen=True)
class Validation:
    """Files that the threshold is chosen on."""

    truth: Path
    results: Path


def evaluate(
    truth: Path,
    results: Path,
    *,
    threshold: float | None = None,
    validation: Validation | None = None,
    with_map: bool = False,
    protocol: str | None = None,
) -> Evaluation:
    """Measure a results file against the truth.

    threshold: of the scores, for the strict numbers; validation: choose it on these, by the best cAcc. With neither every box counts
    (EVERY). with_map: mAP50 and mmAP too. Raises UserError for files that cannot be read, and for a threshold given twice.
    """
    if threshold is not None and validation is not None:
        raise UserError("a threshold is given, and files to choose it on", "", "Leave one out", argument="threshold")
    tally = Tally()
    counter = read_counter(truth, tally)
    detected = read_detected(results, counter, tally)
    if validation is not None:
        threshold = chosen(validation)
    measured = measure(counter, detected, EVERY if threshold is None else threshold, with_map=with_map)
    return Evaluation(measured, _absent(counter), protocol, tally.list())


def chosen(validation: Validation) -> float:
    """The threshold of the best cAcc on validation files."""
    counter = read_counter(validation.truth, Tally())
    detected = read_detected(validation.results, counter, Tally())
    return Tape.of(counter, detected, np.ones(len(counter.names), bool)).best_threshold()


def measure(counter: Counter, detected: Detected, threshold: float, *, with_map: bool = False) -> dict[Mode, dict[str, Level]]:
    """Both modes of results in memory, by level; `threshold` is the strict one's."""
    parts, last = _parts(counter), rpctool.last_of_name(counter)
    precise, as_tool = precisions(counter, detected, parts) if with_map else (dict.fromkeys(parts, NONE), dict.fromkeys(parts, NONE))
    strict, tool = dict[str, Level](), dict[str, Level]()
    for row, images in parts.items():
        tape = Tape.of(counter, detected, images)
        strict[row] = Level.of(tape.strict(threshold), threshold if images.any() else None, precise[row])
        if not last[images].all():
            tape = Tape.of(counter, detected, images & last)
        tool[row] = Level.of(*rpctool.measured(tape), as_tool[row])
    return {"strict": strict, "rpctool": tool}


def _parts(counter: Counter) -> dict[str, Bools]:
    """The images of each row, (n,)."""
    return {**{level: counter.levels == level for level in LEVELS}, AVERAGED: np.ones(len(counter.names), bool)}


def _absent(counter: Counter) -> dict[str, int]:
    there = {row: len(np.unique(counter.product[images[counter.image]])) for row, images in _parts(counter).items()}
    return {row: len(counter.categories) - n for row, n in there.items()}
