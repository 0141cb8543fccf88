"""The numbers of rpctool 0.1.6 (DIYer22/retail_product_checkout_tools), which the public leaderboard uses, faults included.

It searches the threshold on the scored file itself, for each level alone: 4 rounds of 10 evenly spaced ones, each round between the
lowest and the highest of the three best of the round before; the best of the last round counts. Images that have no box at a threshold
are dropped from all counts. Its sums are float32, its rounding to 4 digits and then to 2; here they are too, so that every printed digit
is the same. It ends with an error where no score is 0.99 or more, or a category id is not 1..K; here such thresholds are passed over.
"""

from __future__ import annotations

import numpy as np

from repr.arrays import Bools
from rpc_transfer.checkout.counting import Counts, Tape
from rpc_transfer.checkout.files import Counter

ROUNDS, STEPS, BEST = 4, 10, 3
LOW, HIGH = 0.01, 0.99


def last_of_name(counter: Counter) -> Bools:
    """(n,) which images count: of several with one file name the last, since rpctool knows images by these."""
    last = {name: number for number, name in enumerate(counter.names)}
    counts = np.zeros(len(counter.names), bool)
    counts[list(last.values())] = True
    return counts


def measured(tape: Tape) -> tuple[Counts, float | None]:
    """The counts as rpctool has them, and the threshold that it finds; None for both where not one threshold keeps a box."""
    threshold = _search(tape)
    if threshold is None:
        return Counts(None, None, None, None, 0), None
    n = tape.length(threshold)
    touched, right = (int(images_of[n]) for images_of in tape.right_touched)
    images = np.zeros(len(tape.counts), bool)
    images[tape.image[:n]] = True
    true, fit, extra = (one.astype(np.float32) for one in tape.sums(n, images))
    with np.errstate(divide="ignore", invalid="ignore"):
        mccd = np.sum(np.divide(true - fit + extra, true)) / tape.products
        mciou = np.sum(np.divide(fit, true + extra)) / tape.products
    steps = np.where(tape.nearer[:n], -1, 1).sum() + images[tape.true_image].sum()
    acd = np.float32(steps) / touched
    return Counts(right / touched, float(acd), _finite(mccd), _finite(mciou), touched), threshold


def _search(tape: Tape) -> float | None:
    touched, right = tape.right_touched
    low, high = LOW, HIGH
    for _ in range(ROUNDS):
        thresholds = np.linspace(low, high, STEPS)
        lengths = [tape.length(threshold) for threshold in thresholds]
        usable = [place for place, n in enumerate(lengths) if touched[n]]
        if not usable:
            return None
        rates = np.array([right[lengths[place]] / touched[lengths[place]] for place in usable])
        ranked = thresholds[np.array(usable)[np.argsort(-rates, kind="stable")]]
        low, high = float(ranked[:BEST].min()), float(ranked[:BEST].max())
    return float(ranked[0])


def _finite(value: np.float32) -> float | None:
    return float(value) if np.isfinite(value) else None


def printed(value: float | None, *, percent: bool) -> str:
    """A number as rpctool prints it: "45.6%" or 1.32; nan where there is none."""
    if value is None:
        return "nan%" if percent else "nan"
    rounded = np.round(np.float64(value), 4)
    return f"{round(rounded * 100, 2)}%" if percent else f"{round(float(rounded), 2)}"


def printed_precision(value: float | None) -> str:
    """mAP50 and mmAP as rpctool prints them."""
    return "nan%" if value is None else f"{np.round(np.float64(value) * 100, 2)}%"
