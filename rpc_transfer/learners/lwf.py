"""Learning without Forgetting: fine-tune on the new pictures alone, and keep the old outputs on them as they were.

Li & Hoiem, Learning without Forgetting, ECCV 2016 (PAMI 2018), algorithm of figure 3:

    loss = weight · KD_T(old classes' logits, the old network's) + cross-entropy among the new classes

Weight 3 and T = 2 as PyCIL's models/lwf.py; the paper has T = 2 and weight 1, and first trains the new rows alone, which
PyCIL and this file do not. No picture of an earlier step is kept.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from repr.models.encoder import Encoder
from repr.training.finetune import EncoderWithHead, Loss
from rpc_transfer.learners.arrays import check_range
from rpc_transfer.learners.trained import Trained, distillation
from rpc_transfer.settings import UPDATES


class LwF(Trained):
    """weight: of the distillation; temperature: T. In a step with new classes, pictures of old ones are only distilled."""

    takes: ClassVar[frozenset[str]] = Trained.takes - {"memory"}

    def __init__(
        self,
        encoder: Encoder,
        *,
        seed: int = 0,
        device: torch.device | str = "auto",
        epochs: int | None = None,
        updates: tuple[int, int] = (UPDATES, UPDATES),
        lr: float = 0.02,
        batch_size: int = 64,
        views: str = "supervised",
        weight: float = 3.0,
        temperature: float = 2.0,
    ) -> None:
        super().__init__(
            encoder, seed=seed, device=device, memory=0, epochs=epochs, updates=updates, lr=lr, batch_size=batch_size, views=views
        )
        check_range("weight", weight, 0)
        check_range("temperature", temperature, 1e-3)
        self.weight = weight
        self.temperature = temperature

    def _loss(self, old: EncoderWithHead | None, known: int) -> Loss | None:
        if old is None:
            return None
        teacher = old

        def loss(inputs: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
            with torch.no_grad():
                before = teacher(inputs)
            total = self.weight * distillation(logits[:, :known], before, self.temperature)
            new = labels >= known
            if new.any():
                total = total + cross_entropy(logits[new, known:], labels[new] - known)
            return total

        return loss
