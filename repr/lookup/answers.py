"""Who answers: a gallery, how it was settled, and a learner taught with it.

    answerer = Answerer(gallery, settle(gallery, Asked(), images=len(gallery)))
    answerer.answers(features, k=10)            # one `Found` a row of features (q, d), as the encoder gives them
    answerer.follow(other)                      # the gallery with what came and went: the learner goes on from where it was

The nearest neighbour is no learner of its own here: the gallery is all it knows, and is searched. Other learners are taught with raw
features (`repr.learners`). Temperature and gate stay as they were settled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import softmax

from repr import learners
from repr.arrays import Array, Floats, Ints
from repr.errors import UserError
from repr.learners.neighbour import Neighbour
from repr.learners.taught import Taught
from repr.lookup.gallery import Gallery
from repr.lookup.matches import Search
from repr.lookup.ranking import SHORTLIST, Ranking, best_products, nearest_products
from repr.lookup.unknown import signals_of

if TYPE_CHECKING:
    from repr.lookup.settled import Settled

STEP = 65_536  # images that a learner is taught at a time


@dataclass(frozen=True)
class Candidate:
    """A product in an answer. probability: of its being this one, given that it is one of ours; score: the learner's; image: the id of the
    stored image of this product that is nearest to the query, and its cosine."""

    product: str
    probability: float
    score: float
    image: int
    cosine: float


@dataclass(frozen=True)
class Found:
    """The answer to one photograph: candidates, the best first. ours: log-odds of its being one of ours; None where that is not told."""

    unknown: bool
    ours: float | None
    candidates: tuple[Candidate, ...]


class Answerer:
    """See the module. taught: the learner, None for the neighbour; its classes are the products of the gallery by their names there."""

    def __init__(self, gallery: Gallery, settled: Settled, *, taught: Taught | None = None, search: Search | None = None) -> None:
        """taught: where it was taught with the gallery before, else it is now. search: of all rows of the gallery, by cosine; the exact
        one by itself. Raises UserError for an unknown learner, and for one that was taught other products.
        """
        self.settled = settled
        self.taught, self._scale = taught, 0.0
        if searches(settled.learner):
            made = learners.make(settled.learner)
            assert isinstance(made, Neighbour)
            self._scale = made.scale
        elif taught is None:
            self.taught = Taught(learners.make(settled.learner))
            self._teach(gallery, gallery.alive)
        elif set(taught.names) != {gallery.names[number] for number in gallery.present}:
            raise UserError("the learner was taught other products than are stored", "", "Teach it again with the stored images")
        self._stand(gallery, search)

    def _stand(self, gallery: Gallery, search: Search | None) -> None:
        self.gallery, self._search = gallery, search
        self._columns = gallery.numbers(self.taught.names) if self.taught else np.zeros(0, dtype=np.int64)

    def _teach(self, gallery: Gallery, rows: Ints) -> None:
        assert self.taught is not None
        for start in range(0, len(rows), STEP):
            some = rows[start : start + STEP]
            self.taught.learn(gallery.features(some), [gallery.names[column] for column in gallery.columns[some]])

    def follow(self, gallery: Gallery, search: Search | None = None) -> bool:
        """Go on with a gallery in which images came and went, and products are called the same.

        Returns whether that could be done: not where the norms of images are missing that the learner has to be given. search: as before.
        """
        if self.taught is not None:
            came, gone = _difference(gallery, self.gallery)
            products = np.unique(self.gallery.columns[gone])
            given = again = gone[:0]
            if len(products):
                own = np.isin(self.gallery.columns[self.gallery.alive], products)
                needed = {"nothing": given, "removed": self.gallery.alive[own], "remaining": self.gallery.alive[~own]}
                given = needed[self.taught.learner.removal_needs]
                again = gallery.alive[np.isin(gallery.columns[gallery.alive], products)]
            new = np.union1d(came, again)
            if np.isnan(self.gallery.norms[given]).any() or np.isnan(gallery.norms[new]).any():
                return False
            if len(products):
                names = [self.gallery.names[number] for number in products]
                x = (self.gallery.features(given), [self.gallery.names[column] for column in self.gallery.columns[given]])
                self.taught.remove(names, *(x if len(given) else (None, None)))
            self._teach(gallery, new)
        self._stand(gallery, search)
        return True

    def rank(self, x: Floats, s: int) -> Ranking:
        """The s best products of features (q, d)."""
        if self.taught is None:
            return nearest_products(self.gallery, x, s, self._scale, self._search)
        return best_products(self.taught.learner, self._columns, x, s)

    def answers(self, x: Array, k: int = 10) -> list[Found]:
        """The k best products of each row of features (q, d). Raises UserError for features that do not fit."""
        features = self.gallery.checked(x)
        if not len(features) or not len(self.gallery.alive):
            return [Found(unknown=True, ours=None, candidates=())] * len(features)
        ranking = self.rank(features, max(k, SHORTLIST))
        chances = np.zeros_like(ranking.scores)
        shortlist = ranking.scores[:, :SHORTLIST].astype(np.float64) / self.settled.temperature
        chances[:, :SHORTLIST] = softmax(shortlist, axis=1)
        ours = self.ours(features, ranking)
        answers = []
        for row in range(len(features)):
            unknown = self.settled.gate is not None and bool(ours[row] < self.settled.gate.threshold)
            candidates = self._candidates(features[row], ranking.columns[row, :k], ranking.scores[row], chances[row])
            answers.append(Found(unknown, None if self.settled.gate is None else float(ours[row]), candidates))
        return answers

    def ours(self, features: Floats, ranking: Ranking) -> Floats:
        """(q,) log-odds of being one of ours; 0 where no gate was set."""
        if self.settled.gate is None:
            return np.zeros(len(features), dtype=np.float32)
        gate = self.settled.gate
        return gate.scores(signals_of(features, ranking, self.gallery, temperature=self.settled.temperature, usual=gate.usual))

    def _candidates(self, query: Floats, numbers: Array, scores: Floats, chances: Floats) -> tuple[Candidate, ...]:
        made = []
        length = float(np.linalg.norm(query)) or 1.0
        for number, score, chance in zip(numbers.tolist(), scores, chances, strict=False):
            if number < 0:
                break
            rows = self.gallery.rows_of(number)
            cosines = self.gallery.unit(rows) @ query / length
            best = int(cosines.argmax())
            candidate = Candidate(
                self.gallery.names[number], float(chance), float(score), int(self.gallery.ids[rows[best]]), float(cosines[best])
            )
            made.append(candidate)
        return tuple(made)


def searches(learner: str) -> bool:
    """Whether a learner, by its name, is the nearest neighbour: searched, and taught nothing."""
    return issubclass(learners.learner_class(learner), Neighbour)


def _difference(now: Gallery, before: Gallery) -> tuple[Ints, Ints]:
    """Rows of `now` whose images came since, and rows of `before` whose images went."""
    if now.extends(before):
        return np.arange(len(before), len(now)), np.zeros(0, dtype=np.int64)
    return _only_in(now, before), _only_in(before, now)


def _only_in(one: Gallery, other: Gallery) -> Ints:
    """The rows of one gallery whose images another has not, or has not any more."""
    n = min(len(one), len(other))
    if np.array_equal(one.ids[:n], other.ids[:n]):  # one has grown from the other: no need to look for each
        there = np.zeros(len(one), dtype=np.bool_)
        there[other.alive[other.alive < n]] = True
        return one.alive[~there[one.alive]]
    return one.alive[~np.isin(one.ids[one.alive], other.ids[other.alive])]
