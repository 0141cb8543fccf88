"""Figures as text: rates in per cent with their intervals, differences in points, p-values."""

from __future__ import annotations

from repr.evaluation.statistics import Metric

ENOUGH = 3  # values whose interval is shown in reports
NONE = "–"


def percent(rate: float | None, half: float | None = None) -> str:
    """A fraction in per cent, with half the width of its interval where there is one: "52.1 ± 0.5"; "–" for None."""
    return NONE if rate is None else f"{100 * rate:.1f}{_half(half)}"


def rate(metric: Metric | None) -> str:
    """`percent` of a metric that is a fraction, its interval where it has values `enough` for one; "–" where there is none."""
    return percent(metric.mean, metric.ci95 if enough(metric) else None) if metric else NONE


def enough(metric: Metric) -> bool:
    """Whether an interval says something: of two values it is as wide as a guess, of one there is none. Values that were not kept count."""
    n = sum(value is not None for value in metric.values)
    return (n or len(metric.values)) >= ENOUGH


def points(difference: float | None, half: float | None = None) -> str:
    """A difference of two fractions in points, with its sign: "+1.2 ± 0.4"; "–" for None."""
    return NONE if difference is None else f"{100 * difference:+.1f}{_half(half)}"


def p_value(p: float | None) -> str:
    """A p-value to three places, "< 0.001" below that; "–" for None."""
    return NONE if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _half(width: float | None) -> str:
    return "" if width is None else f" ± {100 * width:.1f}"
