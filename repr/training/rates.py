"""Schedules of the rate as functions of how much of the training is done; they load nothing."""

from __future__ import annotations

from collections.abc import Callable

Schedule = Callable[[float], float]  # share of the steps that are done, 0 to below 1 → what the base rate is multiplied by


def linear(warm_up: float) -> Schedule:
    """A linear rise over the first share `warm_up` of the steps, then a linear fall to 0."""

    def factor(done: float) -> float:
        """Of the base rate."""
        return done / warm_up if done < warm_up else (1 - done) / (1 - warm_up)

    return factor


def tenths(every: float) -> Schedule:
    """A tenth of the rate after every share `every` of the steps: 0.2 is every 12 of 60 epochs."""

    def factor(done: float) -> float:
        """Of the base rate."""
        return float(0.1 ** int(done / every + 1e-9))

    return factor
