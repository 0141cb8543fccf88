"""iCaRL: train on new images and exemplars, keep the old outputs, and answer by the nearest mean of exemplars.

Rebuffi et al., iCaRL: Incremental Classifier and Representation Learning, CVPR 2017: algorithm 3 (one sigmoid a class; the
target of a new class is 0 or 1, that of an old class what the old network gave), algorithm 4 (herding, `memory.herd`) and
algorithm 1 (the answer: nearest mean of exemplars, on features of length 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

from repr.arrays import Ints, Pixels
from repr.learners.arrays import unit
from repr.learners.ncm import NCM
from repr.learners.trained import AnswersByMeans
from repr.settings import setting
from repr.training.finetune import EncoderWithHead, Loss


@dataclass(kw_only=True, eq=False)
class ICaRL(AnswersByMeans):
    """It answers by its exemplars, and cannot do without; 2,000 in the paper."""

    memory: int | None = setting(None, "exemplars in all; by itself every shot", low=1)

    plain_base: ClassVar[bool] = False  # a sigmoid a class from the first step on

    def _loss(self, old: EncoderWithHead | None, known: int) -> Loss:
        def _binary(inputs: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
            targets = one_hot(labels, logits.shape[1]).float()
            if old is not None:
                with torch.no_grad():
                    targets[:, :known] = old(inputs).sigmoid()
            return binary_cross_entropy_with_logits(logits, targets, reduction="none").sum(dim=1).mean()

        return _binary

    def _finish(self, x: Pixels, y: Ints, known: int) -> None:
        exemplars, labels = self.memory_.contents()
        self.nearest_ = NCM().learn(unit(self._features(exemplars)), labels)
