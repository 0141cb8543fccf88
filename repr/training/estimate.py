"""What a run will take, said before it starts."""

from __future__ import annotations

import copy
import time

import torch

from repr.methods.method import Method
from repr.training import optim
from repr.training.data import Batches
from repr.training.precision import as_channels_last, gradient_step

TIMED = 4  # steps; the first two are left out, since they allocate and choose kernels


def seconds_a_step(method: Method, batches: Batches, *, optimiser: str) -> float:
    """Seconds of one step (views, loss, gradients, update), measured on a copy of the method with the first batch."""
    method = copy.deepcopy(method)
    stepper = optim.make(optimiser, [method], lr=1e-6, momentum=0.9, weight_decay=1e-6)
    batch = batches.first()
    generator = torch.Generator().manual_seed(0)
    times = []
    for _ in range(TIMED):
        begun = time.perf_counter()
        views = tuple(as_channels_last(view) for view in method.views(batch.pixels, generator))
        gradient_step(method, method.encoder, stepper, views, batch.labels)
        if batches.device.type == "cuda":
            torch.cuda.synchronize(batches.device)
        times.append(time.perf_counter() - begun)
    return min(times[2:])


def checkpoint_bytes(method: Method, *, averaged: bool) -> int:
    """Bytes that weights and checkpoint will take: the weights file, the method's state, one momentum a parameter, the average."""
    state: int = sum(t.numel() * t.element_size() for t in method.state_dict().values())
    trained: int = sum(p.numel() * p.element_size() for p in method.parameters() if p.requires_grad)
    weights: int = sum(p.numel() * p.element_size() for p in method.encoder.parameters())
    return weights + state * (2 if averaged else 1) + trained
