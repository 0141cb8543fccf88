"""Bias correction: distil from the old network, then fit two numbers that undo the preference for new classes.

Wu et al., Large Scale Incremental Learning, CVPR 2019: the loss of section 3 (λ = old / all classes, T = 2); then the new
classes' logits o become α o + β, fitted by cross-entropy on images held out of the step's training, equally many of
old and new classes (section 4). Corrections of earlier steps stay. PyCIL's models/bic.py applies the softmax twice when it
fits α and β; this file does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax
from torch import Tensor

from repr.arrays import Bools, Doubles, Floats, Ints, Pixels
from repr.learners.arrays import by_class
from repr.learners.stored import Arrays, Stored
from repr.learners.trained import Trained, balanced_distillation
from repr.settings import setting
from repr.training.finetune import EncoderWithHead, Loss

TEMPERATURE = 2.0


def fit_bias(logits: Floats, columns: Ints, known: int) -> tuple[float, float]:
    """α and β of the columns from `known` on that minimise the cross-entropy; (1, 0) without images of both old and new classes.

    Images of one side alone would drive β to infinity. logits: (n, C); columns: (n,) the true ones.
    α is kept at 0 or more, so that the order among new classes stays.
    """
    is_new = columns >= known
    if is_new.all() or not is_new.any():
        return 1.0, 0.0
    old, new = logits[:, :known].astype(np.float64), logits[:, known:].astype(np.float64)

    def _objective(pair: Doubles) -> tuple[float, Doubles]:
        logs = log_softmax(np.hstack([old, pair[0] * new + pair[1]]), axis=1)
        picked = np.arange(len(columns)), columns
        error = np.exp(logs)
        error[picked] -= 1
        slope = error[:, known:]
        return -float(logs[picked].mean()), np.array([(slope * new).sum(), slope.sum()]) / len(columns)

    alpha, beta = minimize(_objective, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0, None), (None, None)]).x
    return float(alpha), float(beta)


@dataclass(kw_only=True, eq=False)
class BiC(Trained):
    """Of a class that has several images at least one is held out, of one with a single image none: so many of every class. They are not
    trained on in that step, and stay candidates for the memory. Where only old or only new classes have any (memory=0), nothing is
    corrected."""

    held_out: float = setting(0.1, "share of the smallest class's images, held out of every class to fit α and β", low=0, high=0.5)

    def _begin(self) -> None:
        super()._begin()
        self.scale_ = torch.ones(0, device=self._device)  # α and β of every column of the head
        self.shift_ = torch.zeros(0, device=self._device)

    def arrays(self) -> Arrays:
        """Those of `Trained`, and α and β of every column."""
        return {**super().arrays(), "scale": self.scale_.cpu().numpy(), "shift": self.shift_.cpu().numpy()}

    def restore(self, stored: Stored) -> None:
        """As `Trained`; α and β must be of the head's columns."""
        super().restore(stored)
        columns = len(self._order)
        self.scale_ = torch.from_numpy(np.array(stored.floats("scale", columns))).to(self._device)
        self.shift_ = torch.from_numpy(np.array(stored.floats("shift", columns))).to(self._device)

    def _grow(self, new: list[int]) -> None:
        super()._grow(new)
        self.scale_ = torch.cat([self.scale_, torch.ones(len(new), device=self._device)])
        self.shift_ = torch.cat([self.shift_, torch.zeros(len(new), device=self._device)])

    def _loss(self, old: EncoderWithHead | None, known: int) -> Loss | None:
        if old is None:
            return lambda _, logits, labels: torch.nn.functional.cross_entropy(self._corrected(logits), labels)
        # The old network answers with the corrections of its time, as PyCIL's keeps its bias layers: they are this one's still.
        plain = balanced_distillation(lambda inputs: self._corrected(old(inputs)), known, TEMPERATURE)
        return lambda inputs, logits, labels: plain(inputs, self._corrected(logits), labels)

    def _train(self, x: Pixels, y: Ints, old: EncoderWithHead | None, known: int) -> None:
        if old is None:
            super()._train(x, y, old, known)
            return
        held = self._held(y)
        super()._train(x[~held], y[~held], old, known)
        alpha, beta = fit_bias(self._logits(self._features(x[held])), self._columns(y[held]), known)
        self.scale_[known:] = alpha
        self.shift_[known:] = beta

    def _held(self, y: Ints) -> Bools:
        """(n,) whether an image is held out: of every class the same number, drawn."""
        counts = np.unique(y, return_counts=True)[1]
        smallest = min(counts[counts > 1].tolist(), default=0)  # of many base and few novel shots, few novel ones must not all go
        each = max(1, round(self.held_out * smallest)) if self.held_out else 0
        held = np.zeros(len(y), dtype=bool)
        for _, rows in by_class(y):
            order = torch.randperm(len(rows), generator=self.generator_).numpy()
            held[rows[order[: min(each, len(rows) - 1)]]] = True
        return held

    def _logits(self, features: Floats) -> Floats:
        logits = self._corrected(torch.from_numpy(super()._logits(features)).to(self._device))
        return np.asarray(logits.cpu().numpy(), dtype=np.float32)

    def _corrected(self, logits: Tensor) -> Tensor:
        """(b, c) logits of the first c columns of the head, corrected."""
        columns = logits.shape[1]
        return self.scale_[:columns] * logits + self.shift_[:columns]
