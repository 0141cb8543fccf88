"""How an index answers, as it stands in index.db: who ranks, how probabilities are made, and from where on something is unknown.

It is found by `repr.lookup.settling`, on stored images; this part is all that answering needs, and loads nothing heavy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from repr.arrays import Doubles, Floats
from repr.files import content_key
from repr.lookup.info import recorded
from repr.lookup.settings import AnswerSettings
from repr.lookup.store import Store
from repr.records import from_json

PLAIN = "neighbour"  # the learner that answers where nothing is surely better
SETTING = "answers"
GROWN = 2.0  # times the images or products that it was settled with, from which on, or down to which, it should be anew


@dataclass(frozen=True)
class Gate:
    """score(image) = weights · signals + bias, log-odds of "ours" where half of the images are; `unknown` below the threshold.

    usual: the cosine of an image to the mean of its product's others, on average, for products of one image. accept: the share of known
    images that the threshold was set to let pass. known_rejected, strangers_accepted: what it costs, on products and images held out of
    the fit; auroc: of the two. strangers here are the shop's own products, left out: those of another kind are told apart far better.
    """

    weights: tuple[float, ...]
    bias: float
    usual: float
    threshold: float
    accept: float
    known_rejected: float
    strangers_accepted: float
    auroc: float

    def scores(self, signals: Doubles) -> Floats:
        """(q,) of signals (q, 3)."""
        return np.asarray(signals @ np.array(self.weights) + self.bias, dtype=np.float32)


@dataclass(frozen=True)
class Trial:
    """A row of the table: shares (0-1) of the products' held-out images that were first right and right among five, means over products.

    ci95: half width of the interval of top1, products being the units, since photographs of one are alike. gain, gain_ci95: over the
    nearest neighbour, product by product. None where fewer than two products could be asked.
    """

    learner: str
    top1: float
    top5: float
    ci95: float | None
    gain: float
    gain_ci95: float | None


@dataclass(frozen=True)
class Settled:
    """How an index answers.

    learner: by its name, with settings. asked: what it was chosen by ("auto", or its own name). temperature: what scores are divided by for
    probabilities. gate: None where strangers cannot be told. images, products: stored then. measured: images held out. trials: of `auto`.
    seconds: what it took. made_with: whose features (a key of weights, size and crops).
    """

    learner: str = PLAIN
    asked: str = AnswerSettings.learner
    accept: float = AnswerSettings.accept
    temperature: float = 1.0
    gate: Gate | None = None
    images: int = 0
    measured: int = 0
    trials: tuple[Trial, ...] = ()
    seconds: float = 0.0
    made_with: str = ""
    products: int = 0

    def outgrown(self, images: int, products: int) -> bool:
        """Whether it should be settled anew, now that so many images and products are stored."""
        pairs = ((images, self.images), (products, self.products))
        return images > 0 and any(not settled / GROWN < now < settled * GROWN for now, settled in pairs)

    def lines(self) -> list[str]:
        """In words: the table that it was chosen by, what is unknown, and what that took."""
        told = table(self.learner, self.trials, self.measured) if self.asked != self.learner else []
        if self.gate is None:
            gate = "Nothing is called unknown: the images are too few to tell strangers by"
        else:
            rejected, accepted = (f"{100 * share:.1f} %" for share in (self.gate.known_rejected, self.gate.strangers_accepted))
            gate = f"Called unknown: {rejected} of known photographs; not so: {accepted} of products left out (AUROC {self.gate.auroc:.2f})"
        return [*told, gate, f"Settled on stored images in {self.seconds:.0f} s"]


def table(learner: str, trials: Sequence[Trial], images: int) -> list[str]:
    """Trials in words, a line a learner, in per cent, the chosen one with a star. images: that were asked about."""
    if not trials:
        return ["The nearest image answers: no product has two images to choose a learner by"]
    lines = [f"Held out: {images:,} stored images; first right and among five, means over products, per cent"]
    for trial in trials:
        star = "*" if trial.learner == learner else " "
        wide = "" if trial.ci95 is None else f" ± {100 * trial.ci95:.1f}"
        lines.append(f"{star} {trial.learner:<10} {100 * trial.top1:5.1f}{wide}   {100 * trial.top5:5.1f}")
    return lines


def settled_of(store: Store) -> Settled:
    """How an index answers: by the nearest neighbour, with probabilities that are not calibrated, before that is settled, and where the
    features are of other weights since."""
    content = store.setting(SETTING)
    settled = Settled() if content is None else from_json(Settled, content, store.file)
    return settled if settled.made_with == made_with(store) else Settled(asked=settled.asked, accept=settled.accept)


def made_with(store: Store) -> str:
    """The weights, size and crops of an index's features."""
    made = recorded(store)
    return content_key(made["identity"], made["size"], made["crops"])
