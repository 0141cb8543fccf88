"""One step of any method, in the precision and the memory layout in which it is fastest on a device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from repr.models.devices import autocast_dtype

if TYPE_CHECKING:
    from repr.models.encoder import Encoder

SMALL = 32  # pixels


def precision(device: torch.device, encoder: Encoder) -> torch.dtype:
    """The precision in which an encoder is trained on a device: bfloat16 where the device gains from it, else float32.

    Float32 on a CPU for images up to SMALL pixels: in torch 2.15 the bfloat16 weight gradient (oneDNN) of a 3 × 3 convolution of stride 2
    over a 1 × 1 map, which is what ResNet's last stage sees at 16 px, is garbage.
    """
    if device.type == "cpu" and encoder.size <= SMALL:
        return torch.float32
    return autocast_dtype(device, depthwise=encoder.depthwise) or torch.float32


def autocast(device: torch.device, encoder: Encoder) -> torch.autocast:
    """The context for forward passes of an encoder in training, in `precision`."""
    dtype = precision(device, encoder)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16)


def laid_out(network: nn.Module) -> nn.Module:
    """The network with its convolutions in channels-last order, which is faster on GPUs and CPUs alike (tools/bench/training.py)."""
    return network.to(memory_format=torch.channels_last)


def as_channels_last(view: Tensor) -> Tensor:
    """(b, 3, s, s) in channels-last order."""
    return view.contiguous(memory_format=torch.channels_last)


def gradient_step(
    module: nn.Module, encoder: Encoder, optimiser: torch.optim.Optimizer, views: tuple[Tensor, ...], labels: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Update by the loss of views (b, 3, s, s) each and labels (b,); the loss, detached, and what the method keeps of it.

    module: a method around `encoder`, or what distributes it over processes.
    """
    with autocast(labels.device, encoder):
        loss, watched = module(views, labels)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.detach(), watched
