"""Joint training, the upper bound: full fine-tuning from the starting weights on all shots of all classes at once.

It breaks the rules that the others keep (every step starts over with every image ever taught), and tells what there was
to gain. Given the base and the novel shots in one `learn`, it trains once.
"""

from __future__ import annotations

import copy
from typing import Any, ClassVar, Self, Unpack

import numpy as np

from repr.arrays import Ints
from repr.learners.arrays import as_labels, as_pixels
from repr.learners.memory import Memory
from repr.learners.trained import Trained, Training
from repr.models.encoder import Encoder


class Joint(Trained):
    """Starts over at each step, so the answer depends on all images taught and the last step's random numbers alone."""

    takes: ClassVar[frozenset[str]] = frozenset(Training.__annotations__)
    plain_base: ClassVar[bool] = False
    at_once: ClassVar[bool] = True

    def __init__(self, encoder: Encoder, **training: Unpack[Training]) -> None:
        super().__init__(encoder, **training)
        self.start_ = copy.deepcopy(self.encoder_)

    def learn(self, x: np.ndarray[Any, Any], y: Ints) -> Self:
        x = as_pixels(x)
        y = as_labels(y, len(x), first=not self._order)
        if not len(x):
            return self
        kept_x, kept_y = self.memory_.contents()
        if len(kept_x):
            x, y = np.concatenate([kept_x, x]), np.concatenate([kept_y, y])
        self.generator_.manual_seed(self.seed)
        self.encoder_ = copy.deepcopy(self.start_)
        self.memory_ = Memory(None)
        self._order = []
        return super().learn(x, y)
