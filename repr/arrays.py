"""Names for the types of arrays, as signatures use them; shapes stand in the docstrings."""

from __future__ import annotations

from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float32]]
Doubles = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]
Hashes = np.ndarray[Any, np.dtype[np.uint64]]
Texts = np.ndarray[Any, np.dtype[np.str_]]
Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Rows = Ints  # rows of a catalog
Array = np.ndarray[Any, np.dtype[Any]]  # of any kind, as files hold them
