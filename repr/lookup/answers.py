"""Who answers: a gallery, a learner taught with it, the temperature of its probabilities and the gate for what is unknown.

    answerer, choice = Answerer.build(gallery, learner="auto", weights=encoder.identity)
    answerer.answers(features, k=10)            # one `Found` a row of features (q, d), as the encoder gives them
    answerer.add(features, products, ids)       # takes in images: the learner goes on from where it was
    answerer.remove(["17"])
    answerer.save(folder)                       # beside the stored vectors, which it does not hold again
    answerer = Answerer.load(folder, gallery, weights=encoder.identity)

The nearest neighbour is no learner of its own here: the gallery is all it knows, and is searched. Other learners are taught with raw
features (`repr.learners`). Both are kept up to date by `add` and `remove`; temperature and gate stay as they were set, until `build`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from scipy.special import softmax

from repr import learners
from repr.arrays import Array, Floats, Ints
from repr.errors import UserError
from repr.evaluation.calibration import fit_temperature
from repr.files import read_json, write_json
from repr.learners.neighbour import Neighbour
from repr.learners.taught import Taught, load
from repr.lookup.choose import CANDIDATES, Choice, choose
from repr.lookup.gallery import Gallery
from repr.lookup.held_out import MOST, SHORTLIST, held_out
from repr.lookup.ranking import ImageSearch, Ranking, Search, best_products, nearest_products
from repr.lookup.unknown import ACCEPT, Gate, fit_gate, signals_of
from repr.records import from_json, to_json

AUTO = "auto"
SCHEMA = 1  # of the file; raise it when an older one is no longer read rightly
FILE, LEARNER = "answers.json", "learner.safetensors"


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


@dataclass(frozen=True)
class Settled:
    """What stands in answers.json: the learner as typed, what its scores are divided by for probabilities, and the gate."""

    schema: int
    learner: str
    temperature: float
    gate: Gate | None


class Answerer:
    """See the module. search: of images, by cosine; an index of many gives its own (`ranking.Search`)."""

    def __init__(
        self,
        gallery: Gallery,
        learner: str,
        *,
        taught: Taught | None = None,
        temperature: float = 1.0,
        gate: Gate | None = None,
        weights: str = "",
        search: Search | None = None,
    ) -> None:
        """learner: as typed, "lda-root"; taught: it, where it was taught with the gallery before.

        Raises UserError for an unknown learner, for one that trains an encoder, and for one that was taught other products.
        """
        kind = learners.learner_class(learner)
        if kind.input != "features":
            raise UserError(f"{learner} trains an encoder", "", f"Choose from: {', '.join([AUTO, *learners.FROZEN])}", argument="learner")
        self.gallery, self.learner, self.temperature, self.gate = gallery, learner, temperature, gate
        self.search: Search = search or ImageSearch(gallery)
        self._scale = 0.0
        self.taught: Taught | None = None
        if issubclass(kind, Neighbour):
            made = learners.make(learner)
            assert isinstance(made, Neighbour)
            self._scale = made.scale
        else:
            self.taught = taught or _taught(gallery, learner, weights)
            present = {gallery.names[number] for number in np.unique(gallery.columns[gallery.alive])}
            if set(self.taught.names) != present:
                raise UserError("the learner was taught other products than are stored", "", "Build it again from the stored images")
        self._columns: Ints | None = None  # of the learner's classes, in `Gallery.names`

    @classmethod
    def build(
        cls,
        gallery: Gallery,
        learner: str = AUTO,
        *,
        weights: str = "",
        accept: float = ACCEPT,
        search: Search | None = None,
        candidates: Sequence[str] = CANDIDATES,
    ) -> tuple[Self, Choice]:
        """Choose the learner (`auto`), teach it, calibrate it and set the gate, all on the stored images. Returns the choice's table too.

        Raises UserError for an unknown learner, and as learners do for images too few.
        """
        choice = choose(gallery, candidates) if learner == AUTO else _given(gallery, learner)
        temperature = 1.0
        if choice.held is not None:
            logits = choice.held.logits()
            temperature = fit_temperature(logits, np.zeros(len(logits), dtype=np.int64))
        gate = fit_gate(gallery.sample(MOST), choice.learner, temperature, accept=accept)
        return cls(gallery, choice.learner, temperature=temperature, gate=gate, weights=weights, search=search), choice

    def rank(self, x: Floats, s: int) -> Ranking:
        """The s best products of features (q, d)."""
        if self.taught is None:
            return nearest_products(self.search, self.gallery, x, s, self._scale)
        if self._columns is None:
            self._columns = np.array([self.gallery.number(name) for name in self.taught.names], dtype=np.int64)
        return best_products(self.taught.learner, self._columns, x, s)

    def answers(self, x: Array, k: int = 10) -> list[Found]:
        """The k best products of each row of features (q, d). Raises UserError for features that do not fit."""
        features = self.gallery.checked(x)
        if not len(features) or not len(self.gallery.alive):
            return [Found(unknown=True, ours=None, candidates=())] * len(features)
        ranking = self.rank(features, max(k, SHORTLIST))
        chances = np.zeros_like(ranking.scores)
        shortlist = ranking.scores[:, :SHORTLIST].astype(np.float64) / self.temperature
        chances[:, :SHORTLIST] = softmax(shortlist, axis=1)
        ours = self.ours(features, ranking)
        found = []
        for row in range(len(features)):
            unknown = self.gate is not None and bool(ours[row] < self.gate.threshold)
            candidates = self._candidates(features[row], ranking.columns[row, :k], ranking.scores[row], chances[row])
            found.append(Found(unknown, None if self.gate is None else float(ours[row]), candidates))
        return found

    def ours(self, features: Floats, ranking: Ranking) -> Floats:
        """(q,) log-odds of being one of ours; 0 where no gate was set."""
        if self.gate is None:
            return np.zeros(len(features), dtype=np.float32)
        return self.gate.scores(signals_of(features, ranking, self.gallery, temperature=self.temperature, usual=self.gate.usual))

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

    def add(self, features: Array, products: Sequence[str], ids: Array) -> None:
        """Store images and teach them: features (n, d), product and id of each. Raises UserError for what does not fit."""
        self.gallery.add(features, products, ids)
        if self.taught is not None and len(features):
            self.taught.learn(self.gallery.features(np.arange(len(self.gallery) - len(features), len(self.gallery))), products)
            self._columns = None

    def remove(self, products: Sequence[str]) -> None:
        """Forget products. Raises UserError, and removes nothing, when one is not stored."""
        numbers = [self.gallery.number(product) for product in products]
        if self.taught is not None:
            needs = self.taught.learner.removal_needs
            rows = {
                "nothing": self.gallery.alive[:0],
                "removed": np.flatnonzero(np.isin(self.gallery.columns, numbers)),
                "remaining": self.gallery.alive[~np.isin(self.gallery.columns[self.gallery.alive], numbers)],
            }[needs]
            names = [self.gallery.names[column] for column in self.gallery.columns[rows]]
            self.taught.remove(products, *((None, None) if needs == "nothing" else (self.gallery.features(rows), names)))
            self._columns = None
        self.gallery.remove(products)

    def save(self, folder: Path) -> None:
        """Write answers.json, and learner.safetensors where there is a learner beside the gallery, each whole or not at all."""
        if self.taught is not None:
            self.taught.save(Path(folder) / LEARNER)
        write_json(Path(folder) / FILE, to_json(Settled(SCHEMA, self.learner, self.temperature, self.gate)))

    @classmethod
    def load(cls, folder: Path, gallery: Gallery, *, weights: str | None = None, search: Search | None = None) -> Self:
        """What `save` wrote, with the gallery that it was saved beside. weights: what features are made with now; None for no check.

        Raises UserError for files that are missing, cut short or of another version, and for a gallery of other products.
        """
        file = Path(folder) / FILE
        content = read_json(file)
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            raise UserError(f"not of version {SCHEMA}", file, "Build it again from the stored images")
        settled = from_json(Settled, content, file)
        searched = issubclass(learners.learner_class(settled.learner), Neighbour)
        taught = None if searched else load(Path(folder) / LEARNER, weights=weights)
        return cls(gallery, settled.learner, taught=taught, temperature=settled.temperature, gate=settled.gate, search=search)


def _taught(gallery: Gallery, learner: str, weights: str) -> Taught:
    taught = Taught(learners.make(learner), weights=weights)
    rows = gallery.alive
    if len(rows):
        taught.learn(gallery.features(rows), [gallery.names[column] for column in gallery.columns[rows]])
    return taught


def _given(gallery: Gallery, learner: str) -> Choice:
    """A learner that was named: nothing to choose, but probabilities are calibrated all the same."""
    learners.read(learner)
    held = held_out(gallery.sample(MOST), learner) if learners.learner_class(learner).input == "features" and len(gallery) else None
    if held is None or not len(held.rows):
        return Choice(learner, (), 0, None)
    return Choice(learner, (), len(held.rows), held)
