"""One step of any method: loss, gradients, update."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from repr.models.encoder import Encoder
from repr.training.precision import autocast


def gradient_step(
    module: nn.Module, encoder: Encoder, optimiser: torch.optim.Optimizer, views: tuple[Tensor, ...], labels: Tensor
) -> tuple[Tensor, dict[str, Tensor]]:
    """Update by the loss of views (b, 3, s, s) each and labels (b,); the loss, detached, and what the method keeps of it.

    module: a method around `encoder`, or what distributes it over processes.
    """
    with autocast(labels.device, encoder):
        loss, kept = module(views, labels)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.detach(), kept
