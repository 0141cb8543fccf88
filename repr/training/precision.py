"""Precision and memory layout in which a step is fastest on a device."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from repr.models.devices import autocast_dtype

SMALL = 32  # pixels


def precision(device: torch.device, side: int) -> torch.dtype:
    """The precision of forward passes on pictures of `side` pixels: bfloat16 where the device gains from it, else float32.

    Float32 on a CPU up to SMALL pixels: in torch 2.15 the bfloat16 weight gradient (oneDNN) of a 3 × 3 convolution with stride 2
    over a 1 × 1 map, which is what ResNet's last stage sees at 16 px, is garbage.
    """
    if device.type == "cpu" and side <= SMALL:
        return torch.float32
    return autocast_dtype(device) or torch.float32


def autocast(device: torch.device, side: int) -> torch.autocast:
    """The context for forward passes on pictures of `side` pixels, in `precision`."""
    dtype = precision(device, side)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16)


def laid_out(network: nn.Module) -> nn.Module:
    """The network with its convolutions in channels-last order, which is faster on GPUs and CPUs alike (tools/bench/training.py)."""
    return network.to(memory_format=torch.channels_last)


def as_channels_last(view: Tensor) -> Tensor:
    """(b, 3, s, s) in channels-last order."""
    return view.contiguous(memory_format=torch.channels_last)
