"""Names for the types of arrays, as signatures use them; shapes stand in the docstrings."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Hashes = NDArray[np.uint64]
Texts = NDArray[np.str_]
Pixels = NDArray[np.uint8]
Rows = Ints  # rows of a catalog
Array = NDArray[Any]  # of any kind, as files hold them


def again(blocks: list[Ints]) -> Ints:
    """Positions of the numbers that came before."""
    numbers = np.concatenate([np.zeros(0, np.int64), *blocks])
    order = np.argsort(numbers, kind="stable")
    return np.sort(order[1:][numbers[order[1:]] == numbers[order[:-1]]])
