"""Softmax heads of the learners, trained to the end by L-BFGS on the whole support set. See `heads` for the other optimisers.

A shop's shots are a small closed set that fits in memory at once, and its answers must not hang on the order of the images, a seed or a
rate: L-BFGS has none of these, and stops by the gradient (Liu & Nocedal, On the Limited Memory BFGS Method, 1989).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

from repr.arrays import Doubles, Floats, Ints
from repr.learners.arrays import unit


def train_linear(x: Floats, columns: Ints, weights: Floats, *, c: float, steps: int) -> Floats:
    """Logistic regression: minimise c · Σ cross-entropy + ½‖W‖², the last column (the biases) not penalised.

    The objective of scikit-learn's LogisticRegression(C=c). x: (n, d); columns: (n,) 0..C-1; weights: (C, d + 1) start.
    steps: at most so many iterations. Returns (C, d + 1) float32.
    """
    ones = np.hstack([x, np.ones((len(x), 1), dtype=np.float32)])
    whole = 1 / (c * max(len(x), 1))  # as a mean an image, so that the tolerance does not depend on c and n

    def _objective(flat: Doubles) -> tuple[float, Doubles]:
        w = flat.astype(np.float32).reshape(weights.shape)
        loss, error = _cross_entropy(ones @ w.T, columns)
        gradient = c * (error.T @ ones)
        gradient[:, :-1] += w[:, :-1]
        penalty = 0.5 * float(np.vdot(w[:, :-1], w[:, :-1]))
        return whole * (c * loss + penalty), whole * gradient.ravel().astype(np.float64)

    return _minimise(_objective, weights, steps)


def train_cosine(x: Floats, columns: Ints, weights: Floats, *, scale: float, steps: int) -> Floats:
    """Cosine head: minimise the mean cross-entropy of scale · n(x) · n(w_c).

    x: (n, d); columns: (n,) 0..C-1; weights: (C, d) start. steps: at most so many iterations.
    Returns (C, d) float32, rows of length 1.
    """
    x, weights = unit(x), unit(weights)

    def _objective(flat: Doubles) -> tuple[float, Doubles]:
        w = flat.astype(np.float32).reshape(weights.shape)
        lengths = np.linalg.norm(w, axis=1, keepdims=True)
        directions = w / lengths
        loss, error = _cross_entropy(scale * (x @ directions.T), columns)
        pull = scale * (error.T @ x)
        # the derivative of w/‖w‖ takes away the part of the pull along w
        gradient = (pull - (pull * directions).sum(axis=1, keepdims=True) * directions) / lengths
        return loss / len(x), gradient.ravel().astype(np.float64) / len(x)

    return unit(_minimise(_objective, weights, steps))


def _cross_entropy(logits: Floats, columns: Ints) -> tuple[float, Floats]:
    """Sum of the cross-entropies, and its gradient (n, C) by the logits."""
    logs = log_softmax(logits, axis=1)
    picked = np.arange(len(columns)), columns
    error = np.exp(logs)
    error[picked] -= 1
    return -float(logs[picked].sum(dtype=np.float64)), error


def _minimise(objective: Callable[[Doubles], tuple[float, Doubles]], start: Floats, steps: int) -> Floats:
    """L-BFGS until no part of the gradient exceeds 1e-4, scikit-learn's tolerance, or for `steps` iterations."""
    if not steps or not start.size:  # asked for no iteration, scipy still makes one
        return start
    minimum = minimize(objective, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": steps, "gtol": 1e-4, "ftol": 1e-12})
    return np.asarray(minimum.x, dtype=np.float32).reshape(start.shape)
