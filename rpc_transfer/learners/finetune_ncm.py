"""Fine-tune, then class means: full fine-tuning adapts the encoder, and its head is put aside for nearest class mean.

Zhou et al., Revisiting Class-Incremental Learning, 2023, tune on the first step and then take class means; here every step
is tuned, as `finetune` does, and the means are taken anew from the pictures at hand.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from repr.models.encoder import Encoder
from rpc_transfer.learners.arrays import Floats, Ints, Pixels
from rpc_transfer.learners.ncm import NCM
from rpc_transfer.learners.trained import Trained
from rpc_transfer.settings import UPDATES


class FinetuneNCM(Trained):
    """Means come from the step's pictures and the exemplars; a class with neither (memory=0) keeps the mean that the
    encoder of its own time gave it."""

    def __init__(
        self,
        encoder: Encoder,
        *,
        seed: int = 0,
        device: torch.device | str = "auto",
        memory: int | None = None,
        epochs: int | None = None,
        updates: tuple[int, int] = (UPDATES, UPDATES),
        lr: float = 0.02,
        batch_size: int = 64,
        views: str = "supervised",
    ) -> None:
        super().__init__(
            encoder, seed=seed, device=device, memory=memory, epochs=epochs, updates=updates, lr=lr, batch_size=batch_size, views=views
        )
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
