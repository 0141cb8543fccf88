"""From where on a photograph is unknown: fitted on the stored images, by leaving products out (`repr.lookup.unknown` says by what)."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from repr.arrays import Array, Bools, Doubles, Ints
from repr.learners.arrays import unit
from repr.lookup.gallery import Gallery
from repr.lookup.held_out import FOLDS, alike, folds_of, taught_without
from repr.lookup.ranking import SHORTLIST, best_products
from repr.lookup.settled import Gate
from repr.lookup.unknown import SIGNALS, signals_of, usual_of

ACCEPT = 0.95
PENALTY = 1e-3  # on the squares of the weights, of signals with deviation 1; keeps them finite where all strangers are told apart
FEWEST = 20  # images of known products and of strangers, each, from which a threshold is set


def fit_gate(gallery: Gallery, learner: str, temperature: float, *, accept: float = ACCEPT, folds: int = FOLDS) -> Gate | None:
    """Fit the combination, set the threshold that lets `accept` of the known images pass, and measure what that costs.

    learner: by its name, with settings. None where there are too few products or photographs to leave any out. Of a big gallery
    give a sample.
    """
    assert 0 < accept < 1, "a share"
    usual, rounds = usual_of(gallery), _rounds(gallery, folds)
    signals, ours, fold = _cases(gallery, learner, temperature, usual, rounds[0], folds)
    if min(ours.sum(), (~ours).sum()) < FEWEST:
        return None
    more, more_ours, _ = _cases(gallery, learner, temperature, usual, rounds[1], folds)
    held = np.empty(len(ours))
    for number in range(folds):
        mine = fold == number
        weights = fit_logistic(np.concatenate([signals[~mine], more]), np.concatenate([ours[~mine], more_ours]))
        held[mine] = signals[mine] @ weights[:-1] + weights[-1]
    weights = fit_logistic(np.concatenate([signals, more]), np.concatenate([ours, more_ours]))
    threshold = float(np.quantile(held[ours], 1 - accept))
    return Gate(
        weights=tuple(weights[:-1].tolist()), bias=float(weights[-1]), usual=usual, threshold=threshold, accept=accept,
        known_rejected=float((held[ours] < threshold).mean()), strangers_accepted=float((held[~ours] >= threshold).mean()),
        auroc=auroc(held[ours], held[~ours]),
    )  # fmt: skip


def _rounds(gallery: Gallery, folds: int) -> tuple[Ints, Ints]:
    """(n,) twice: in which fold the product of each image taught is a stranger: in the first round at random, so that its like may stay;
    in the second together with those that look like it, so that what is asked is of another kind than all that stays."""
    x, y = gallery.taught()
    products, columns = np.unique(y, return_inverse=True)
    at_random = np.random.default_rng(0).permutation(len(products)) % folds
    if len(products) < 2:
        return at_random[columns], at_random[columns]
    means = np.stack([unit(x[columns == number]).mean(axis=0) for number in range(len(products))])
    return at_random[columns], alike(unit(means), min(len(products), folds))[columns]


def _cases(gallery: Gallery, learner: str, temperature: float, usual: float, strange: Ints, folds: int) -> tuple[Doubles, Bools, Ints]:
    """Signals (m, s), whether each is of a known product (m,), and its fold (m,). strange: one of `_rounds`."""
    x, y = gallery.taught()
    held_in = folds_of(x, y, folds)
    found: list[tuple[Doubles, Bools, Ints]] = []
    for number in range(folds):
        strangers = strange == number
        asked = strangers | (held_in == number)
        if asked.all() or not strangers.any():
            continue
        rest = Gallery(x[~asked], [str(column) for column in y[~asked]], np.arange((~asked).sum()))
        taught = taught_without(x, y, learner, asked)
        columns = rest.numbers(list(map(str, taught.classes_.tolist())))
        ranking = best_products(taught, columns, x[asked], SHORTLIST)
        signals = signals_of(x[asked], ranking, rest, taught, temperature=temperature, usual=usual)
        found.append((signals, ~strangers[asked], np.full(asked.sum(), number, dtype=np.int64)))
    if not found:
        return np.zeros((0, len(SIGNALS))), np.zeros(0, dtype=np.bool_), np.zeros(0, dtype=np.int64)
    signals, ours, fold = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return signals, ours, fold


def fit_logistic(signals: Array, ours: Bools) -> Doubles:
    """(s + 1,) weights, none below 0, and bias of a logistic regression on signals (n, s), known and strangers counting alike."""
    middle, spread = signals.mean(axis=0), signals.std(axis=0)
    spread = np.where(spread > 0, spread, 1)
    z, sign = (signals - middle) / spread, np.where(ours, 1.0, -1.0)
    share = np.where(ours, 0.5 / max(ours.sum(), 1), 0.5 / max((~ours).sum(), 1))

    def objective(flat: Doubles) -> tuple[float, Doubles]:
        """The penalised loss of weights and bias, and its gradient."""
        margin = sign * (z @ flat[:-1] + flat[-1])
        pull = -share * sign * np.exp(-np.logaddexp(0, margin))
        loss = float((share * np.logaddexp(0, -margin)).sum() + PENALTY * flat[:-1] @ flat[:-1])
        return loss, np.append(z.T @ pull + 2 * PENALTY * flat[:-1], pull.sum())

    bounds = [(0.0, None)] * z.shape[1] + [(None, None)]
    fitted = minimize(objective, np.zeros(z.shape[1] + 1), jac=True, method="L-BFGS-B", bounds=bounds).x
    weights = fitted[:-1] / spread
    return np.append(weights, fitted[-1] - weights @ middle)


def auroc(known: Array, strangers: Array) -> float:
    """How often a known one scores higher than a stranger, a tie counting half: the area under the ROC curve."""
    order = np.sort(strangers)
    wins = (np.searchsorted(order, known, side="left") + np.searchsorted(order, known, side="right")) / 2
    return float(wins.mean() / len(strangers))
