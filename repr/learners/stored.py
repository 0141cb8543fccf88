"""Arrays of a saved learner: what it gives to be written, and how it takes them back, each checked for its kind and its shape.

Names of arrays that belong together begin alike: "means/rows", "means/counts".
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from repr.arrays import Array, Doubles, Floats, Ints, Pixels
from repr.errors import UserError
from repr.records import Scalar

Value = Scalar | list[Scalar]  # of a setting, as the header holds it
Arrays = dict[str, Array]


def under(name: str, arrays: Mapping[str, Array]) -> Arrays:
    """The arrays with `name` and a slash before their names."""
    return {f"{name}/{key}": array for key, array in arrays.items()}


class Stored:
    """Arrays read from a file, to be taken one by one. where: the file, for errors."""

    def __init__(self, arrays: Mapping[str, Array], where: str = "", beginning: str = "", taken: set[str] | None = None) -> None:
        self._arrays, self._where, self._beginning = arrays, where, beginning
        self._taken: set[str] = set() if taken is None else taken

    def __contains__(self, name: str) -> bool:
        return self._beginning + name in self._arrays

    def below(self, name: str) -> Stored:
        """Those whose names begin with `name` and a slash, by what follows."""
        return Stored(self._arrays, self._where, f"{self._beginning}{name}/", self._taken)

    def take(self, name: str, kind: type[np.generic], *shape: int | None) -> Array:
        """An array of a kind and a shape; None in it is any length. Raises UserError when there is no such array, or another."""
        name = self._beginning + name
        dtype = np.dtype(kind)
        if name not in self._arrays:
            raise self.misfit(f"there is no array {name}")
        array = self._arrays[name]
        fits = array.dtype == dtype and array.ndim == len(shape)
        if not fits or any(want not in (None, length) for want, length in zip(shape, array.shape, strict=True)):
            lengths = ", ".join("any" if length is None else str(length) for length in shape)
            raise self.misfit(f"the array {name} is {array.dtype} {array.shape}, not {dtype} ({lengths})")
        self._taken.add(name)
        return array

    def floats(self, name: str, *shape: int | None) -> Floats:
        """`take` of float32."""
        return self.take(name, np.float32, *shape)

    def doubles(self, name: str, *shape: int | None) -> Doubles:
        """`take` of float64."""
        return self.take(name, np.float64, *shape)

    def ints(self, name: str, *shape: int | None) -> Ints:
        """`take` of int64."""
        return self.take(name, np.int64, *shape)

    def pixels(self, name: str, *shape: int | None) -> Pixels:
        """`take` of uint8."""
        return self.take(name, np.uint8, *shape)

    def number(self, name: str) -> float:
        """One float64."""
        return float(self.doubles(name))

    def whole(self, name: str) -> int:
        """One int64."""
        return int(self.ints(name))

    def require(self, condition: bool, message: str) -> None:
        """Raise UserError with the message unless the condition holds, which relates arrays to one another."""
        if not condition:
            raise self.misfit(message)

    def finish(self) -> None:
        """Raise UserError when an array was left that nobody has taken."""
        if left := sorted(self._arrays.keys() - self._taken):
            raise self.misfit(f"nothing is known of the array {left[0]}")

    def misfit(self, message: str) -> UserError:
        """The error for arrays that do not fit."""
        return UserError(message, self._where, "Fetch the file again, or teach the learner again")
