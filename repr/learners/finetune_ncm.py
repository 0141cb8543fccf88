"""Fine-tune, then class means: full fine-tuning adapts the encoder, and its head is put aside for nearest class mean.

Zhou et al., Revisiting Class-Incremental Learning, 2023, tune on the first step and then take class means; here every step
is tuned, as `finetune` does, and the means are taken anew from the images at hand.
"""

from __future__ import annotations

import numpy as np

from repr.arrays import Ints, Pixels
from repr.learners.ncm import NCM
from repr.learners.trained import AnswersByMeans


class FinetuneNCM(AnswersByMeans):
    """Means come from the step's images and the exemplars; a class with neither (memory=0) keeps the mean that the
    encoder of its own time gave it."""

    def _finish(self, x: Pixels, y: Ints, known: int) -> None:
        before, self.nearest_ = self.nearest_, NCM().learn(self._features(x), y)
        for label in np.setdiff1d(before.classes_, y).tolist():
            self.nearest_.means_.add(label, before.means_.row(label)[None])
