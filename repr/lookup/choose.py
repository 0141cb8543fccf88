"""Which learner answers best for this shop: chosen on its own stored images, held out a group of like photographs at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from repr.evaluation.statistics import half_width, paired
from repr.learners import read
from repr.lookup.gallery import Gallery
from repr.lookup.held_out import FOLDS, HeldOut, held_out
from repr.lookup.settings import AUTO
from repr.lookup.settled import PLAIN, Trial

CANDIDATES = (PLAIN, "ncm", "lda-root", "linear")
TRAINED = ("linear",)  # those whose teaching takes images × products
HEAVY = 2_000_000  # images × products beyond which those are not tried: they are trained anew at each addition


@dataclass(frozen=True, eq=False)
class Choice:
    """The learner chosen, and by what: the table (empty where no product has two images), the images asked, and those of the chosen."""

    learner: str
    trials: tuple[Trial, ...]
    images: int
    held: HeldOut | None


def choose(gallery: Gallery, learner: str = AUTO, candidates: Sequence[str] = CANDIDATES, folds: int = FOLDS) -> Choice:
    """The learner that was named; of `auto` the best of the candidates that are surely better than the nearest neighbour, else that.

    Surely: by the 95 % interval of the difference, product by product. So with one or two images a product, where little can be measured,
    the answer is no worse than the neighbour's. Of a big gallery a sample of products is measured with. Raises UserError for an unknown
    learner, and as learners do for images too few.
    """
    gallery = gallery.sample()
    if learner != AUTO:
        read(learner)
        held = held_out(gallery, learner, folds) if len(gallery.alive) else None
        return Choice(learner, (), len(held.rows), held) if held is not None and len(held.rows) else Choice(learner, (), 0, None)
    first = held_out(gallery, PLAIN, folds) if len(gallery.alive) else None
    if first is None or not len(first.rows):
        return Choice(PLAIN, (), 0, None)
    heavy = len(gallery) * len(first.classes) > HEAVY
    trials, best, kept = [_trial(PLAIN, first, first)], PLAIN, first
    for name in candidates:
        if name == PLAIN or (heavy and name in TRAINED):
            continue
        held = held_out(gallery, name, folds)
        trial = _trial(name, held, first)
        sure = trial.gain_ci95 is not None and trial.gain > trial.gain_ci95
        if sure and (best == PLAIN or trial.top1 > next(other.top1 for other in trials if other.learner == best)):
            best, kept = name, held
        trials.append(trial)
    return Choice(best, tuple(trials), len(first.rows), kept)


def _trial(name: str, held: HeldOut, plain: HeldOut) -> Trial:
    top1, top5 = list(held.by_product().values()), list(held.by_product(5).values())
    difference = paired(top1, list(plain.by_product().values()))
    return Trial(name, sum(top1) / len(top1), sum(top5) / len(top5), half_width(top1), difference.difference, difference.ci95)
