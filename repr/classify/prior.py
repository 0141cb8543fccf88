"""What is answered where a row shows nothing: no image that can be read, no word."""

from __future__ import annotations

import numpy as np

from repr.arrays import Floats, Ints


def blank(rows: int, classes: int) -> Floats:
    """(rows, classes) NaN: what a model says of rows that show it nothing. `run_trial` puts the classes' shares there."""
    return np.full((rows, classes), np.nan, np.float32)


def prior(labels: Ints, classes: int) -> Floats:
    """(classes,) logarithms of the classes' smoothed training shares: the answer where a row shows nothing."""
    return np.log((np.bincount(labels, minlength=classes) + 1) / (len(labels) + classes)).astype(np.float32)
