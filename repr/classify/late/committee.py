"""The ensemble of the paper's kind: the other ways to fuse, each learnt on its own, by majority vote (SIGIR eCom 2020, section 3.4)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from repr.arrays import Floats, Ints
from repr.classify.late.boosting import Boosting
from repr.classify.late.fuser import Fuser
from repr.classify.late.layers import Layers
from repr.classify.late.mean import WeightedMean
from repr.classify.late.product import WeightedProduct
from repr.classify.late.stacking import Stacking
from repr.classify.late.vote import voted
from repr.classify.settings import Settings
from repr.classify.state import Restored, State

WIDER = 4  # times the hidden size of `layers`, of one more network: the paper's members differ in their configurations


class Committee:
    """One layer, two layers of two hidden sizes, the weighted mean and product, stacking, boosting."""

    def __init__(self, settings: Settings) -> None:
        deep = replace(settings, model="layers")
        self.members_: tuple[Fuser, ...] = (
            Layers(replace(settings, model="layer")), Layers(deep), Layers(replace(deep, fuse_hidden=WIDER * settings.fuse_hidden)),
            WeightedMean(settings), WeightedProduct(settings), Stacking(settings), Boosting(settings),
        )  # fmt: skip

    def fit(self, probabilities: Floats, labels: Ints, generator: torch.Generator) -> Committee:
        """Learn from (m, n, c) and labels (n,)."""
        for one in self.members_:
            one.fit(probabilities, labels, generator)
        return self

    def fuse(self, probabilities: Floats) -> Floats:
        """(m, n, c) → (n, c)."""
        return voted(np.stack([one.fuse(probabilities) for one in self.members_]))

    def state(self) -> State:
        """Those of the members."""
        state = State()
        for number, one in enumerate(self.members_):
            state |= one.state().under(str(number))
        return state

    def restore(self, state: Restored) -> Committee:
        """Take over what `state` gave."""
        for number, one in enumerate(self.members_):
            one.restore(state.below(str(number)))
        return self
