"""Means with intervals over seeds, and the paired test between two rows of the same splits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import stdtr, stdtrit  # Student's t; scipy.stats, which has it too, is large

LEVEL = 0.95


@dataclass(frozen=True)
class Metric:
    """One figure of a row over its seeds: mean, half width of the mean's 95 % interval, and the figure of every seed.

    ci95: None where fewer than two seeds have a value. values: in the order of the seeds; None where the figure does not apply to one.
    """

    mean: float
    ci95: float | None
    values: tuple[float | None, ...]


def half_width(values: Sequence[float], level: float = LEVEL, *, redrawn: float = 0.0) -> float | None:
    """Half the width of the two-sided confidence interval of the mean by Student's t; None for fewer than two values.

    t(n - 1 degrees of freedom) times the sample standard deviation (n - 1) times √(1/n + redrawn).
    redrawn: test rows over training rows where every value has a split of its own of the same rows: the values are then not
    independent, and 1/n alone makes the interval too narrow (Nadeau and Bengio, Machine Learning 52, 2003, equation 9). 0 where
    the test rows are always the same.
    """
    n = len(values)
    if n < 2:
        return None
    mean = math.fsum(values) / n
    deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1))
    return float(stdtrit(n - 1, (1 + level) / 2)) * deviation * math.sqrt(1 / n + redrawn)


def interval(values: Sequence[float | None], *, redrawn: float = 0.0) -> Metric | None:
    """One figure over the seeds; None when no value is known (the figure does not apply to the row).

    Seeds without a value (None or NaN) stay in `values` as None and are left out of the mean. redrawn: as `half_width`.
    """
    known = [float(v) for v in values if v is not None and not math.isnan(v)]
    if not known:
        return None
    floats = tuple(None if v is None or math.isnan(v) else float(v) for v in values)
    return Metric(math.fsum(known) / len(known), half_width(known, redrawn=redrawn), floats)


@dataclass(frozen=True)
class Paired:
    """A paired comparison: mean of a - b, half width of its 95 % interval, two-sided p of the t-test, number of pairs."""

    difference: float
    ci95: float | None
    p: float | None
    n: int


def paired(a: Sequence[float], b: Sequence[float], *, redrawn: float = 0.0) -> Paired:
    """Compare two rows seed by seed (Student's paired t-test); `a[i]` and `b[i]` must come from the same split.

    With one pair there is no interval and no p. When all differences are the same number, p is 1 for no difference and 0 otherwise;
    of two pairs that says nothing, and p is None.
    redrawn: as `half_width`.
    """
    assert len(a) == len(b) and len(a) > 0, "paired values come from the same seeds"
    differences = [x - y for x, y in zip(a, b, strict=True)]
    n = len(differences)
    mean = math.fsum(differences) / n
    width = half_width(differences, redrawn=redrawn)
    if width is None:
        return Paired(mean, None, None, n)
    if width < 1e-12:
        return Paired(mean, 0.0, 1.0 if abs(mean) < 1e-12 else 0.0 if n > 2 else None, n)
    error = width / float(stdtrit(n - 1, (1 + LEVEL) / 2))
    return Paired(mean, width, float(2 * stdtr(n - 1, -abs(mean) / error)), n)
