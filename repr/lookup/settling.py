"""Settling how an index answers: who ranks, by which temperature probabilities are made, and from where on something is unknown.

All of it is found on stored images that are held out, and stands in index.db (`Settled`); what the learner knows is made from these
images at any time (`repr.lookup.answering`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from repr.evaluation.calibration import fit_temperature
from repr.lookup.asked import Asked
from repr.lookup.choose import CANDIDATES, PLAIN, Choice, Trial, choose
from repr.lookup.gallery import Gallery
from repr.lookup.unknown import Gate, fit_gate

GROWN = 2.0  # times the images or products that it was settled with, from which on, or down to which, it should be anew


@dataclass(frozen=True)
class Settled:
    """How an index answers.

    learner: by its name, with settings. asked: what it was chosen by ("auto", or its own name). temperature: what scores are divided by for
    probabilities. gate: None where strangers cannot be told. images, products: stored then. measured: images held out. trials: of `auto`.
    seconds: what it took. made_with: whose features (a key of weights, size and crops).
    """

    learner: str = PLAIN
    asked: str = Asked.learner
    accept: float = Asked.accept
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
        told = Choice(self.learner, self.trials, self.measured, None).lines() if self.asked != self.learner else []
        if self.gate is None:
            gate = "Nothing is called unknown: the images are too few to tell strangers by"
        else:
            rejected, accepted = (f"{100 * share:.1f} %" for share in (self.gate.known_rejected, self.gate.strangers_accepted))
            gate = f"Called unknown: {rejected} of known photographs; not so: {accepted} of products left out (AUROC {self.gate.auroc:.2f})"
        return [*told, gate, f"Settled on stored images in {self.seconds:.0f} s"]


def settle(gallery: Gallery, asked: Asked, *, images: int, candidates: tuple[str, ...] = CANDIDATES) -> Settled:
    """Choose the learner, calibrate it and set the gate on a gallery, or a sample of one (`sampled`). images: stored in all.

    Raises UserError for an unknown learner, and as learners do for images too few.
    """
    start, asked = time.monotonic(), asked.checked()
    choice = choose(gallery, asked.learner, candidates)
    temperature, gate = 1.0, None
    if choice.held is not None:
        logits = choice.held.logits()
        temperature = fit_temperature(logits, np.zeros(len(logits), dtype=np.int64))
        gate = fit_gate(gallery.sample(), choice.learner, temperature, accept=asked.accept)
    return Settled(
        choice.learner, asked.learner, asked.accept, temperature, gate, images, choice.images, choice.trials, time.monotonic() - start
    )
