"""What every learner is: support sets in, scores and predictions out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, Self

from repr.arrays import Array, Floats, Ints
from repr.learners.arrays import log_odds
from repr.learners.stored import Arrays, Stored, Value

About = dict[str, dict[str, Value]]  # by subject, such as "encoder"
Needs = Literal["nothing", "removed", "remaining"]


class Learner(ABC):
    """Takes in classes step by step. Settings are fields (`repr.settings`); what was learned ends in an underscore.

    input: what `x` is: "features", float32 (n, d), the encoder's raw outputs; or "images", uint8 (n, s, s, 3).
    takes: the settings that are the same for all learners of a run, out of
        seed, device, memory, epochs, updates, lr, batch_size, views.
    at_once: whether it is given all steps together in one `learn` (an upper bound), not step by step.
    plain_base: whether its first step is that of `finetune`, so that one base step serves all such learners (`Trained.start_from`).
    version: of its numbers; raise it when stored results of this learner alone are no longer what would be computed.

    Decided for all learners:
    - A class may have any number of shots from one up; classes of a step need not have equally many.
    - A step may bring one class. It may bring more images of classes already known; they are added to what is known.
    - A step without images changes nothing, except that the first must bring some (UserError).
    - No query gives no answer: arrays of length 0. Queries before the first step are a UserError.
    - A learner from which every class was removed is as one that was never taught.
    - Saved and loaded (`repr.learners.taught`) it answers and goes on learning to the same bits, on the same machine.
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
    def learn(self, x: Array, y: Array) -> Self:
        """Take in a step: the base step first, then one call an increment with that increment's support set alone.

        x: (n, d) or (n, s, s, 3); y: (n,) class numbers, any whole numbers. Returns itself.
        Raises UserError for arrays that do not fit or are not finite.
        """

    @abstractmethod
    def scores(self, x: Array) -> Floats:
        """(n, C) float32, columns as `classes_`; a softmax over a row gives the learner's probabilities."""

    def predict(self, x: Array) -> Ints:
        """(n,) int64, the class with the highest score; of equal ones the lowest class number."""
        best: Ints = self.classes_[self.scores(x).argmax(axis=1)]
        return best

    def known(self, x: Array) -> Floats:
        """(n,) float32, higher for what is more surely one of the classes taught. Here: the highest probability, as log-odds.

        Which measure a learner has was chosen by AUROC on training images of grocery that were no shots, 14 classes left
        out: heads trained by a softmax did best with this one, class means with the highest score, LDA with its own.
        """
        return log_odds(self.scores(x))

    @property
    def removal_needs(self) -> Needs:
        """Of which classes `remove` has to be given what was taught: of those removed, of those that remain, or of none."""
        return "nothing"

    @abstractmethod
    def remove(self, classes: Iterable[int], x: Array | None = None, y: Array | None = None) -> Self:
        """Forget classes; the learner then answers as one that was taught without them, as far as its own docstring says.

        x, y: what was taught, as `learn` takes it, where `removal_needs` says that it is needed; rows of other classes are passed over.
        Returns itself. Raises UserError for a class that was never taught, and when what is needed was not given.
        """

    @abstractmethod
    def arrays(self) -> Arrays:
        """All that was learned, by name: with the settings (and `about`) enough to go on from."""

    @abstractmethod
    def restore(self, stored: Stored) -> None:
        """Take over what `arrays` gave, in a learner just made with the same settings. Raises UserError for arrays that do not fit."""

    def about(self) -> About:
        """What `blank` needs beside settings and arrays, JSON-able."""
        return {}

    @classmethod
    def blank(cls, settings: Mapping[str, Any], about: About, stored: Stored) -> Self:
        """A learner with these settings (checked), to be restored. Raises UserError for what does not fit."""
        return cls(**settings)
