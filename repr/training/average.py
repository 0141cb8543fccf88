"""The moving average of the weights (Polyak averaging), which often transfers better than the last step's weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """average := decay * average + (1 - decay) * tensor, for every float tensor; others (counts) are copied.

    In the first steps the decay is at most (1 + t) / (10 + t), so that the random start is forgotten (TensorFlow's
    ExponentialMovingAverage, `num_updates`). tensors: the state dict of what is averaged, followed by name.
    """

    def __init__(self, tensors: dict[str, Tensor], decay: float) -> None:
        self.decay = decay
        self.tensors = {name: tensor.detach().clone() for name, tensor in tensors.items()}

    @torch.no_grad()
    def update(self, tensors: dict[str, Tensor], step: int) -> None:
        """Follow `tensors` after optimiser step number `step` (from 0)."""
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        floats = [name for name, tensor in tensors.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([self.tensors[n] for n in floats], [tensors[n].detach() for n in floats], share)
        for name in tensors.keys() - set(floats):
            self.tensors[name].copy_(tensors[name])

    @contextmanager
    def inside(self, module: nn.Module) -> Iterator[None]:
        """Meanwhile `module`, whose tensors these are the average of, has the averages; its own come back, to the bit, however it ends."""
        own = {name: tensor.clone() for name, tensor in module.state_dict().items()}
        module.load_state_dict(self.tensors)
        try:
            yield
        finally:
            module.load_state_dict(own)
