"""Is a photograph of one of ours? A small calibrated combination of signals, fitted on the stored images by leaving products out.

    confidence   log p / (1 − p) of the best product, by the calibrated probabilities
    nearest      cosine to the best product's nearest image: strangers of another kind are far from all
    typical      cosine to the best product's mean image, less what its own images usually have to the mean of the others

Their sum is a logistic regression with weights that cannot be negative: each signal only ever speaks for "ours". Held out of each fifth of
the stored images are a fifth of the products, who are strangers to what is taught then, and groups of like photographs of the others
(`held_out`). Tried beside these on grocery's training images, chosen by cross-validation and the official val part, and left out:
agreement and density of the ten nearest images (0.00 to 0.01 of AUROC), and the raw score, whose size moves with the number of products,
so that its threshold accepted 48 instead of 95 % of val's known products. AUROC by the three: 0.76 for products left out (by p alone 0.72,
by the raw score 0.71), 0.99 against fruits and 1.00 against fashion (by p alone 0.86 and 0.94).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from repr.arrays import Array, Bools, Doubles, Floats, Ints
from repr.learners.arrays import log_odds
from repr.lookup.gallery import Gallery
from repr.lookup.held_out import FOLDS, SHORTLIST, folds_of, taught_without
from repr.lookup.ranking import Ranking, best_products
from repr.vectors import normalised

SIGNALS = ("confidence", "nearest", "typical")
ACCEPT = 0.95
SUREST = 30.0  # of log-odds: nobody is surer
PENALTY = 1e-3  # on the squares of the weights, of signals with deviation 1; keeps them finite where all strangers are told apart
FEWEST = 20  # images of known products and of strangers, each, from which a threshold is set


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


def signals_of(x: Floats, ranking: Ranking, gallery: Gallery, *, temperature: float, usual: float) -> Doubles:
    """(q, 3) SIGNALS of features x (q, d), whose best products `ranking` holds."""
    directions = normalised(x) if len(x) else x
    shortlist = ranking.scores[:, :SHORTLIST].astype(np.float64) / temperature
    confidence = np.clip(log_odds(shortlist), -SUREST, SUREST)
    nearest, typical = np.empty(len(x)), np.empty(len(x))
    best = ranking.columns[:, 0]
    for number in np.unique(best):
        mine = best == number
        vectors = gallery.unit(gallery.rows_of(int(number)))
        nearest[mine] = (directions[mine] @ vectors.T).max(axis=1)
        typical[mine] = directions[mine] @ _direction(vectors) - (usual if len(vectors) == 1 else float(_to_others(vectors).mean()))
    return np.column_stack([confidence, nearest, typical]).astype(np.float64)


def _direction(vectors: Floats) -> Floats:
    """(d,) that of the mean of vectors (m, d)."""
    total = vectors.sum(axis=0)
    return np.asarray(total / max(float(np.linalg.norm(total)), np.finfo(np.float32).tiny), dtype=np.float32)


def _to_others(vectors: Floats) -> Floats:
    """(m,) cosine of each vector of length 1 to the mean of the others, of two or more."""
    others = vectors.sum(axis=0) - vectors
    lengths = np.maximum(np.linalg.norm(others, axis=1), np.finfo(np.float32).tiny)
    return np.asarray(np.einsum("md,md->m", vectors, others) / lengths, dtype=np.float32)


def usual_of(gallery: Gallery) -> float:
    """The cosine of an image to the mean of its product's other images, on average over products of several images; 1 where none has."""
    found = []
    for number in gallery.present.tolist():
        if len(rows := gallery.rows_of(number)) > 1:
            vectors = gallery.unit(rows)
            found.append(float(_to_others(vectors).mean()))
    return float(np.mean(found)) if found else 1.0


def fit_gate(gallery: Gallery, learner: str, temperature: float, *, accept: float = ACCEPT, folds: int = FOLDS) -> Gate | None:
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
    found: list[tuple[Doubles, Bools, Ints]] = []
    for number in range(folds):
        strangers = stranger_in == number
        asked = strangers | (held_in == number)
        if asked.all() or not strangers.any():
            continue
        rest = Gallery(x[~asked], [str(column) for column in y[~asked]], np.arange((~asked).sum()))
        taught = taught_without(x, y, learner, asked)
        columns = rest.numbers(list(map(str, taught.classes_.tolist())))
        ranking = best_products(taught, columns, x[asked], SHORTLIST)
        signals = signals_of(x[asked], ranking, rest, temperature=temperature, usual=usual)
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
