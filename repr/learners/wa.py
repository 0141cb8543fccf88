"""Weight aligning: distil from the old network, then shorten the new classes' weights to the length of the old ones'.

Zhao et al., Maintaining Discrimination and Fairness in Class Incremental Learning, CVPR 2020: the loss of section 3.1
(λ = old / all classes, T = 2), then equation 9: W_new ← γ W_new, γ = mean ‖w_old‖ / mean ‖w_new‖. The paper's clipping of
negative weights after each step is left out, as in PyCIL's models/wa.py (which weighs the distillation 2 to 1 instead).
"""

from __future__ import annotations

import torch
from torch import Tensor

from repr.arrays import Ints, Pixels
from repr.learners.trained import Trained, balanced_distillation
from repr.training.finetune import EncoderWithHead, Loss

TEMPERATURE = 2.0


def align(weight: Tensor, known: int) -> Tensor:
    """(C, d) weights whose rows from `known` on are scaled so that their mean length is that of the rows before."""
    lengths = weight.norm(dim=1)
    gamma = lengths[:known].mean() / lengths[known:].mean()
    return torch.cat([weight[:known], gamma * weight[known:]])


class WA(Trained):
    """Replays the exemplars that `memory` allows, as the paper does (2,000 there)."""

    def _loss(self, old: EncoderWithHead | None, known: int) -> Loss | None:
        return balanced_distillation(old, known, TEMPERATURE) if old else None

    def _finish(self, x: Pixels, y: Ints, known: int) -> None:
        if 0 < known < self.head_.out_features:
            with torch.no_grad():
                self.head_.weight.copy_(align(self.head_.weight, known))
