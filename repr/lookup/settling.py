"""Settling how an index answers: who ranks, by which temperature probabilities are made, and from where on something is unknown.

All of it is found on stored images that are held out, and stands in index.db (`repr.lookup.settled`); what the learner knows is made
from these images at any time (`repr.lookup.answering`).
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import numpy as np

from repr.errors import UserError
from repr.evaluation.calibration import fit_temperature
from repr.lookup.choose import CANDIDATES, choose
from repr.lookup.gallery import Gallery, sampled
from repr.lookup.held_out import HeldOut, held_out_arrays, scattered
from repr.lookup.settings import AnswerSettings
from repr.lookup.settled import SETTING, Settled, made_with, settled_of
from repr.lookup.store import Store
from repr.lookup.strangers import fit_gate
from repr.records import to_json

log = logging.getLogger(__name__)


def settle(gallery: Gallery, wanted: AnswerSettings, *, images: int, candidates: tuple[str, ...] = CANDIDATES) -> Settled:
    """Choose the learner, calibrate it and set the gate on a gallery, or a sample of one (`sampled`). images: stored in all.

    Raises UserError for an unknown learner, and as learners do for images too few.
    """
    start, wanted = time.monotonic(), wanted.checked()
    choice = choose(gallery, wanted.learner, candidates)
    temperature, gate = 1.0, None
    if choice.held is not None:
        temperature = _temperature(gallery.sample(), choice.learner, choice.held)
        gate = fit_gate(gallery.sample(), choice.learner, temperature, accept=wanted.accept)
    return Settled(
        choice.learner, wanted.learner, wanted.accept, temperature, gate, images, choice.images, choice.trials, time.monotonic() - start
    )


def _temperature(gallery: Gallery, learner: str, held: HeldOut) -> float:
    """Fitted on images held out in groups of like ones (`held`) and, as many times again, held out one by one.

    Tomorrow's photograph is as a rule harder than the second and easier than the first: of freiburg's last training images 59 % were
    right, 35 and 71 % held out. On these, and on grocery's val part, the calibration error fell by this from 0.26 to 0.15 and from 0.07
    to 0.06 (LDA on roots at length 1), from 0.27 to 0.12 and from 0.10 to 0.08 (neighbour), against groups alone.
    """
    x, y = gallery.taught()
    logits = np.concatenate([held.logits(), held_out_arrays(x, y, learner, scattered(y)).logits()])
    return fit_temperature(logits, np.zeros(len(logits), dtype=np.int64))


def settle_store(store: Store, dim: int, learner: str | None = None, accept: float | None = None) -> Settled:
    """Choose who answers on the stored images, of which many are represented by a sample; store that, and log it.

    learner, accept: as `AnswerSettings` has them; None for as last time. Raises UserError for an unknown learner, and as learners do for
    images too few.
    """
    last = settled_of(store)
    wanted = AnswerSettings(learner=learner or last.asked, accept=last.accept if accept is None else accept).checked()
    with store.reading():
        ids, products = store.owners()
        rows = sampled(products)
        sampled_ids = ids[rows]
        features_of, stored = made_with(store), store.counts()[0]
        parts = [part[np.isin(of, sampled_ids)] for of, part in store.features(dim=dim)]
    features = np.concatenate([np.empty((0, dim), np.float32), *parts])
    chosen = settle(Gallery(features, list(map(str, products[rows].tolist())), sampled_ids), wanted, images=len(ids))
    settled = replace(chosen, made_with=features_of, products=stored)
    with store.change("settle") as change:
        change.settings({SETTING: to_json(settled)})
    for line in settled.lines():
        log.info(line)
    return settled


def settle_if_outgrown(store: Store, dim: int) -> Settled | None:
    """The same where images or products have become twice or half as many since; None where they have not, or are too few for it."""
    products, images = store.counts()
    if not settled_of(store).outgrown(images, products):
        return None
    log.info(f"Who answers is chosen anew, now that there are {products:,} products in {images:,} images.")
    try:
        return settle_store(store, dim)
    except UserError as error:
        log.warning(f"Who answers stays as it was: {error}")
        return None
