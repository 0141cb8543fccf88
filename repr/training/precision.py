"""Precision and memory layout in which a step is fastest on a device."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from repr.models.devices import autocast_dtype


def autocast(device: torch.device) -> torch.autocast:
    """The context for forward passes: bfloat16 where the device gains from it, else nothing happens."""
    dtype = autocast_dtype(device)
    return torch.autocast(device.type, dtype=dtype or torch.bfloat16, enabled=dtype is not None)


def laid_out(network: nn.Module) -> nn.Module:
    """The network with its convolutions in channels-last order, which is faster on GPUs and CPUs alike (tools/bench/training.py)."""
    return network.to(memory_format=torch.channels_last)


def as_channels_last(view: Tensor) -> Tensor:
    """(b, 3, s, s) in channels-last order."""
    return view.contiguous(memory_format=torch.channels_last)
