"""What a row gave, before it is told as a trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from repr.classify.data import Problem
from repr.classify.fitted import Fitted
from repr.classify.metrics import Measured


@dataclass(frozen=True)
class Outcome:
    """What a row gave on its level with one seed.

    plain: measured without logit adjustment, which leaves no probabilities to calibrate. missing: top-1 without a modality, by the
    modality's name. unknown: test rows with a text of which the model knows no term, None where it has no list of terms. seconds,
    fit_seconds: of all of it, and of training. note: what a reader must know. along: measures along the class tree.
    fitted: the model.
    """

    problem: Problem
    measured: Measured
    plain: Measured
    temperature: float
    missing: Mapping[str, float]
    unknown: int | None
    note: str
    seconds: float
    fit_seconds: float
    along: Mapping[str, float | None]
    fitted: Fitted
