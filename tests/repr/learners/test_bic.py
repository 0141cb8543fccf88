"""BiC's own: what is held out of a step is not trained on, and the two numbers are those that fit it best."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax

from repr.learners import bic, make, trained
from repr.learners.bic import fit_bias

Array = np.ndarray[Any, Any]


def test_what_it_fits_its_correction_to_it_has_not_trained_on(
    small_encoder: Callable[[], Any], coloured: tuple[Array, Array, Array, Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every class one image is held out of the second step; the rest, and nothing else, is trained on."""
    x, y, *_ = coloured
    trained_on: list[Array] = []
    fitted: list[Array] = []
    monkeypatch.setattr(trained, "fit_classifier", lambda encoder, pixels, labels, **_: trained_on.append(pixels))
    monkeypatch.setattr(bic, "fit_bias", lambda logits, columns, known: (fitted.append(columns), (0.5, -1.0))[1])
    learner = make("bic", encoder=small_encoder(), device="cpu", views="plain")
    base = np.isin(y, [2, 4, 5])
    learner.learn(x[base], y[base])
    assert len(trained_on) == 1 and len(trained_on[0]) == base.sum() and not fitted, "the first step has nothing to correct"
    learner.learn(x[~base], y[~base])
    classes = len(np.unique(y))
    assert len(fitted) == 1 and sorted(fitted[0].tolist()) == list(range(classes)), "one image of each class"
    assert len(trained_on[1]) == len(x) - classes
    seen, every = ({image.tobytes() for image in images} for images in (trained_on[1], x))
    assert seen < every and len(every - seen) == classes


def test_the_two_numbers_are_those_of_another_optimiser() -> None:
    rng = np.random.default_rng(0)
    columns = rng.integers(0, 5, 60)
    logits = (rng.normal(size=(60, 5)) + 2 * np.eye(5)[columns] + np.array([0, 0, 0, 1.5, 1.5])).astype(np.float32)

    def loss(pair: Array) -> float:
        corrected = np.hstack([logits[:, :3], pair[0] * logits[:, 3:] + pair[1]]).astype(np.float64)
        return -float(log_softmax(corrected, axis=1)[np.arange(60), columns].mean())

    best = minimize(loss, [1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10}).x
    assert fit_bias(logits, columns, 3) == pytest.approx(tuple(best), abs=1e-3) and best[1] < 0, "new classes were preferred"


@pytest.mark.parametrize("columns", [[0, 1, 2], [3, 4, 3]])
def test_images_of_one_side_correct_nothing(columns: list[int]) -> None:
    assert fit_bias(np.eye(5, dtype=np.float32)[columns], np.array(columns), 3) == (1.0, 0.0)
