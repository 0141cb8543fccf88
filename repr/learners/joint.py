"""Joint training, the upper bound: full fine-tuning from the starting weights on all shots of all classes at once.

It breaks the rules that the others keep (every step starts over with every image ever taught), and tells what there was
to gain. Given the base and the novel shots in one `learn`, it trains once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from repr.arrays import Array
from repr.learners.arrays import as_labels, as_pixels
from repr.learners.trained import RUN, Trained


@dataclass(kw_only=True, eq=False)
class Joint(Trained):
    """Starts over at each step, so the answer depends on all images taught and the last step's random numbers alone."""

    memory: int | None = field(default=None, init=False)  # not a setting: it keeps every image

    takes: ClassVar[frozenset[str]] = RUN - {"memory"}
    plain_base: ClassVar[bool] = False
    at_once: ClassVar[bool] = True

    def learn(self, x: Array, y: Array) -> Self:
        """Start over, with the images of all steps so far together."""
        x = as_pixels(x)
        y = as_labels(y, len(x), first=not self._order)
        if not len(x):
            return self
        kept_x, kept_y = self.memory_.contents()
        if len(kept_x):
            x, y = np.concatenate([kept_x, x]), np.concatenate([kept_y, y])
        self._begin()
        return super().learn(x, y)
