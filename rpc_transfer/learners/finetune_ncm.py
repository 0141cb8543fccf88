"""Fine-tune, then class means: full fine-tuning adapts the encoder, and its head is put aside for nearest class mean.

Zhou et al., Revisiting Class-Incremental Learning, 2023, tune on the first step and then take class means; here every step
is tuned, as `finetune` does, and the means are taken anew from the pictures at hand.
"""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from repr.arrays import Floats, Ints, Pixels
from repr.models.encoder import Encoder
from rpc_transfer.learners.ncm import NCM
from rpc_transfer.learners.trained import Replay, Trained


class FinetuneNCM(Trained):
    """Means come from the step's pictures and the exemplars; a class with neither (memory=0) keeps the mean that the
    encoder of its own time gave it."""

    def __init__(self, encoder: Encoder, **training: Unpack[Replay]) -> None:
        super().__init__(encoder, **training)
        self.nearest_ = NCM()

    def scores(self, x: np.ndarray[Any, Any]) -> Floats:
        return self.nearest_.scores(self._features(x))

    def known(self, x: np.ndarray[Any, Any]) -> Floats:
        """(n,) as class means tell it: the highest score."""
        return self.nearest_.known(self._features(x))

    def _finish(self, x: Pixels, y: Ints, known: int) -> None:
        before, self.nearest_ = self.nearest_, NCM().learn(self._features(x), y)
        for label in np.setdiff1d(before.classes_, y).tolist():
            self.nearest_.means_.add(label, before.means_.row(label)[None])
