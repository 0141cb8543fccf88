"""What every learner is: support sets in, scores and predictions out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal, Self

import numpy as np

from repr.arrays import Floats, Ints
from repr.learners.arrays import log_odds


class Learner(ABC):
    """Takes in classes step by step. What was learned ends in an underscore; pickled and read back, it answers the same.

    input: what `x` is: "features", float32 (n, d), the encoder's raw outputs; or "images", uint8 (n, s, s, 3).
    takes: which of a run's options the constructor takes as keywords, out of
        seed, device, memory, epochs, updates, lr, batch_size, views.
    at_once: whether it is given all steps together in one `learn` (an upper bound), not step by step.
    plain_base: whether its first step is that of `finetune`, so that one base step serves all such learners (`Trained.start_from`).
    version: of its numbers; raise it when stored results of this learner alone are no longer what would be computed.

    Decided for all learners:
    - A class may have any number of shots from one up; classes of a step need not have equally many.
    - A step may bring one class. It may bring more images of classes already known; they are added to what is known.
    - A step without images changes nothing, except that the first must bring some (UserError).
    - No query gives no answer: arrays of length 0. Queries before the first step are a UserError.
    """

    input: ClassVar[Literal["features", "images"]]
    takes: ClassVar[frozenset[str]] = frozenset()
    at_once: ClassVar[bool] = False
    plain_base: ClassVar[bool] = False
    version: ClassVar[int] = 0

    @property
    @abstractmethod
    def classes_(self) -> Ints:
        """(C,) int64, the class numbers learned so far, sorted. Empty before the first step."""

    @abstractmethod
    def learn(self, x: np.ndarray[Any, Any], y: Ints) -> Self:
        """Take in a step: the base step first, then one call an increment with that increment's support set alone.

        x: (n, d) or (n, s, s, 3); y: (n,) int64 class numbers, any. Returns itself.
        Raises UserError for arrays that do not fit or are not finite.
        """

    @abstractmethod
    def scores(self, x: np.ndarray[Any, Any]) -> Floats:
        """(n, C) float32, columns as `classes_`; a softmax over a row gives the learner's probabilities."""

    def predict(self, x: np.ndarray[Any, Any]) -> Ints:
        """(n,) int64, the class with the highest score; of equal ones the lowest class number."""
        best: Ints = self.classes_[self.scores(x).argmax(axis=1)]
        return best

    def known(self, x: np.ndarray[Any, Any]) -> Floats:
        """(n,) float32, higher for what is more surely one of the classes taught. Here: the highest probability, as log-odds.

        Which measure a learner has was chosen by AUROC on training images of grocery that were no shots, 14 classes left
        out: heads trained by a softmax did best with this one, class means with the highest score, LDA with its own.
        """
        return log_odds(self.scores(x))
