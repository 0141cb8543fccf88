"""The checkpoint: everything a run needs to go on as if it had never stopped.

There is no generator to store: order, views, dropout and heads are drawn from seeds computed from the run's seed and the step
(`data.stream`). What is left is the method (weights, batch-norm statistics, momentum teacher, queue), the optimiser,
the moving average, the sums of the unfinished epoch and the step; the rate is a function of the step.
"""

from __future__ import annotations

import os
import pickle
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from repr.errors import UserError
from repr.files import replacing
from repr.records import Json

VERSION = 1
FILE = "checkpoint/last.pt"


@dataclass
class Checkpoint:
    """step: optimiser steps done. data: key of images and labels. sums: what the unfinished epoch has counted so far."""

    step: int
    settings: dict[str, Json]
    data: str
    method: dict[str, Tensor]
    optimiser: dict[str, Any]
    average: dict[str, Tensor] = field(default_factory=dict)
    sums: dict[str, float] = field(default_factory=dict)
    version: int = VERSION


def save(run: Path, checkpoint: Checkpoint) -> None:
    """Write the run's checkpoint, whole or not at all; the last one stays until the new one is complete.

    Refuses (AssertionError) weights that are not finite: the caller stops before that, so the last good one is kept.
    """
    assert finite(checkpoint.method), "not finite"
    with replacing(run / FILE) as temporary, temporary.open("wb") as stream:
        torch.save(vars(checkpoint), stream)  # not asdict, which copies every tensor
        os.fsync(stream.fileno())  # else a power cut may leave the new name with nothing in it, and the old checkpoint gone


def load(run: Path) -> Checkpoint | None:
    """The run's checkpoint on the CPU, or None when it has none. Raises UserError when it is broken or of a newer version."""
    file = run / FILE
    if not file.exists():
        return None
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
        checkpoint = Checkpoint(**content)
    except (RuntimeError, pickle.UnpicklingError, EOFError, TypeError, ValueError, KeyError, IndexError, struct.error) as error:
        reason = str(error).partition("\n")[0] or "it ends early"
        raise UserError(f"not a readable checkpoint ({reason})", file, "Start again with another `out`") from None
    if checkpoint.version > VERSION:
        raise UserError(f"written by a newer version ({checkpoint.version} > {VERSION})", file, "Update the package")
    return checkpoint


def finite(tensors: dict[str, Tensor]) -> bool:
    """Whether every number in the floating-point tensors is finite; one answer fetched from the device."""
    floats = [t.detach() for t in tensors.values() if t.is_floating_point()]
    if not floats:
        return True
    largest = torch.stack([norm.float() for norm in torch._foreach_norm(floats, float("inf"))])
    return bool(torch.isfinite(largest).all())
