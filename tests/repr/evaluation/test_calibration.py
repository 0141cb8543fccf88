from __future__ import annotations

import numpy as np
import pytest

from repr.evaluation.calibration import expected_calibration_error, fit_temperature, log_softmax, reliability


def test_temperature_is_found_again() -> None:
    """Labels drawn from softmax(logits); the logits handed over three times too sure."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 5)).astype(np.float32)
    labels = (np.exp(log_softmax(logits)).cumsum(axis=1) < rng.random((4000, 1))).sum(axis=1).clip(max=4)
    assert fit_temperature(3 * logits, labels) == pytest.approx(3, rel=0.1)
    assert fit_temperature(logits[:0], labels[:0]) == 1


def test_few_rows_move_the_temperature_little_and_many_as_far_as_it_goes() -> None:
    logits = np.eye(3, dtype=np.float32)
    few, many = (fit_temperature(np.tile(logits, (n, 1)), np.tile(np.arange(3), n)) for n in (1, 3000))
    assert 0.2 < few < 1 and 0 < many < 0.2
    wrong = fit_temperature(20 * logits[:1], np.array([1]))
    assert 1 < wrong < 50


def test_calibration_error_against_a_plain_loop() -> None:
    rng = np.random.default_rng(1)
    confidence, right = rng.random(500).astype(np.float32), rng.random(500) < 0.5
    total = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence.astype(float) > low) & (confidence.astype(float) <= low + 1 / 15)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].astype(float).mean())
    assert expected_calibration_error(confidence, right) == pytest.approx(total, abs=1e-6)
    # one bin (0.6, 0.667]: both at 0.65, one right: |0.5 - 0.65|
    assert expected_calibration_error(np.array([0.65, 0.65]), np.array([True, False])) == pytest.approx(0.15)
    bins = reliability(confidence, right)
    assert sum(one.share for one in bins) == pytest.approx(1) and [one.number for one in bins] == sorted({one.number for one in bins})
    assert sum(one.share * abs(one.accuracy - one.confidence) for one in bins) == pytest.approx(total, abs=1e-5)
    assert np.isnan(expected_calibration_error(confidence[:0], right[:0]))
