"""Learning without Forgetting: fine-tune on the new images alone, and keep the old outputs on them as they were.

Li & Hoiem, Learning without Forgetting, ECCV 2016 (PAMI 2018), algorithm of figure 3:

    loss = weight · KD_T(old classes' logits, the old network's) + cross-entropy among the new classes

Weight 3 and T = 2 as PyCIL's models/lwf.py; the paper has T = 2 and weight 1, and first trains the new rows alone, which
PyCIL and this file do not. No image of an earlier step is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from repr.learners.trained import RUN, Trained, distillation
from repr.settings import setting
from repr.training.finetune import EncoderWithHead, Loss


@dataclass(kw_only=True, eq=False)
class LwF(Trained):
    """In a step with new classes, images of old ones are only distilled."""

    weight: float = setting(3.0, "of the distillation", low=0)
    temperature: float = setting(2.0, "T of the distillation", low=1e-3)
    memory: int | None = field(default=0, init=False)  # not a setting: it keeps none

    takes: ClassVar[frozenset[str]] = RUN - {"memory"}

    def _loss(self, old: EncoderWithHead | None, known: int) -> Loss | None:
        if old is None:
            return None
        teacher = old

        def _distilled(inputs: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
            with torch.no_grad():
                before = teacher(inputs)
            total = self.weight * distillation(logits[:, :known], before, self.temperature)
            new = labels >= known
            if new.any():
                total = total + cross_entropy(logits[new, known:], labels[new] - known)
            return total

        return _distilled
