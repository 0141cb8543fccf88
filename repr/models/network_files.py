"""A network as the files of others hold it, before it is checked and becomes weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from repr.errors import UserError
from repr.images.frames import Frame


@dataclass(frozen=True)
class ForeignNetwork:
    """A network's tensors under our names, and what its own files say of its use.

    arch: as `repr.models.architecture`; size: image side in pixels; mean, std: normalisation of images in 0..1; frame: how images are made
    square; classes: of the head, () without one; licence: as the files say, else "".
    """

    arch: str
    tensors: Mapping[str, Tensor]
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    frame: Frame
    classes: tuple[str, ...] = ()
    licence: str = ""


def number(value: object, where: str | Path) -> float:
    """A number of a config file. Raises UserError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{value!r:.40} where a number is wanted", where, "Mend the file, or fetch it again")
    return float(value)


def numbers(values: object, where: str | Path) -> tuple[float, ...]:
    """Three numbers of a config file; one stands for all three. Raises UserError for anything else."""
    if isinstance(values, list | tuple) and len(values) == 3:
        return tuple(number(value, where) for value in values)
    return (number(values, where),) * 3
