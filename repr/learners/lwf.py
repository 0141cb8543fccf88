"""Learning without Forgetting: fine-tune on the new images alone, and keep the old outputs on them as they were.

Li & Hoiem, Learning without Forgetting, ECCV 2016 (PAMI 2018), algorithm of figure 3:

    loss = weight · KD_T(old classes' logits, the old network's) + cross-entropy among the new classes

Weight 3 and T = 2 as PyCIL's models/lwf.py; the paper has T = 2 and weight 1, and first trains the new rows alone, which
PyCIL and this file do not. No image of an earlier step is kept.
"""

from __future__ import annotations

from typing import ClassVar, Unpack

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from repr.learners.arrays import check_range
from repr.learners.trained import Trained, Training, distillation
from repr.models.encoder import Encoder
from repr.training.finetune import EncoderWithHead, Loss


class LwF(Trained):
    """weight: of the distillation; temperature: T. In a step with new classes, images of old ones are only distilled."""

    takes: ClassVar[frozenset[str]] = frozenset(Training.__annotations__)

    def __init__(self, encoder: Encoder, *, weight: float = 3.0, temperature: float = 2.0, **training: Unpack[Training]) -> None:
        super().__init__(encoder, memory=0, **training)
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
