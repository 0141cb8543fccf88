"""From where on a photograph is unknown: fitted on the stored images, by leaving products out (`repr.lookup.unknown` says by what)."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from repr.arrays import Array, Bools, Doubles, Ints
from repr.lookup.gallery import Gallery
from repr.lookup.held_out import FOLDS, folds_of, taught_without
from repr.lookup.ranking import SHORTLIST, best_products
from repr.lookup.settled import Gate
from repr.lookup.unknown import SIGNALS, signals_of, usual_of

PENALTY = 1e-3  # on the squares of the weights, of signals with deviation 1; keeps them finite where all strangers are told apart
FEWEST = 20  # images of known products and of strangers, each, from which a threshold is set


def fit_gate(gallery: Gallery, learner: str, temperature: float, *, accept: float, folds: int = FOLDS) -> Gate | None:
    """Fit the combination, set the threshold that lets `accept` of the known images pass, and measure what that costs.

    learner: by its name, with settings. None where there are too few products or photographs to leave any out. Of a big gallery
    give a sample.
    """
    assert 0 < accept < 1, "a share"
    usual = usual_of(gallery)
    signals, ours, fold = _cases(gallery, learner, temperature, usual, folds)
    if min(ours.sum(), (~ours).sum()) < FEWEST:
        return None
    held = np.empty(len(ours))
    for number in range(folds):
        mine = fold == number
        weights = fit_logistic(signals[~mine], ours[~mine])
        held[mine] = signals[mine] @ weights[:-1] + weights[-1]
    weights = fit_logistic(signals, ours)
    threshold = float(np.quantile(held[ours], 1 - accept))
    return Gate(
        weights=tuple(weights[:-1].tolist()), bias=float(weights[-1]), usual=usual, threshold=threshold, accept=accept,
        known_rejected=float((held[ours] < threshold).mean()), strangers_accepted=float((held[~ours] >= threshold).mean()),
        auroc=auroc(held[ours], held[~ours]),
    )  # fmt: skip


def _cases(gallery: Gallery, learner: str, temperature: float, usual: float, folds: int) -> tuple[Doubles, Bools, Ints]:
    """Signals (m, 3), whether each is of a known product (m,), and its fold (m,)."""
    x, y = gallery.taught()
    products = np.unique(y)
    stranger_in = np.random.default_rng(0).permutation(len(products))[np.searchsorted(products, y)] % folds
    held_in = folds_of(x, y, folds)
    cases: list[tuple[Doubles, Bools, Ints]] = []
    for number in range(folds):
        strangers = stranger_in == number
        held = strangers | (held_in == number)
        if held.all() or not strangers.any():
            continue
        rest = Gallery(x[~held], [str(column) for column in y[~held]], np.arange((~held).sum()))
        taught = taught_without(x, y, learner, held)
        columns = rest.numbers(list(map(str, taught.classes_.tolist())))
        ranking = best_products(taught, columns, x[held], SHORTLIST)
        signals = signals_of(x[held], ranking, rest, temperature=temperature, usual=usual)
        cases.append((signals, ~strangers[held], np.full(held.sum(), number, dtype=np.int64)))
    if not cases:
        return np.zeros((0, len(SIGNALS))), np.zeros(0, dtype=np.bool_), np.zeros(0, dtype=np.int64)
    signals, ours, fold = (np.concatenate(parts) for parts in zip(*cases, strict=True))
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
