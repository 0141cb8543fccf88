from __future__ import annotations

import numpy as np
import pytest

from repr.classify.longtail import OfBucket, adjust, balanced, bucket, by_bucket


def test_buckets_at_their_edges() -> None:
    assert bucket(np.array([101, 100, 20, 19, 1, 0])).tolist() == ["many", "medium", "medium", "few", "few", "none"]


def test_buckets_by_hand() -> None:
    found = by_bucket(np.array([500, 300, 5]), np.array([0, 0, 0, 1, 2]), np.array([0, 0, 1, 0, 2]))
    assert found["many"] == OfBucket(2, 4, 0.5, pytest.approx(1 / 3))  # type: ignore[arg-type]
    assert found["few"].recall == 1 and set(found) == {"many", "few"}


def test_balanced_sampling_evens_the_classes_out() -> None:
    labels = np.repeat([0, 1, 2], [9000, 900, 100])
    drawn = labels[balanced(labels, np.random.default_rng(0))]
    assert len(drawn) == len(labels)
    assert np.bincount(drawn) / len(drawn) == pytest.approx(np.full(3, 1 / 3), abs=0.02)


def test_adjustment_divides_by_the_prior() -> None:
    counts = np.array([30, 10])
    probabilities = np.array([[0.75, 0.25], [0.5, 0.5]], np.float32)
    adjusted = np.exp(adjust(np.log(probabilities), counts))
    adjusted /= adjusted.sum(axis=1, keepdims=True)
    assert adjusted == pytest.approx(np.array([[0.5, 0.5], [0.25, 0.75]]), abs=1e-6)
    assert adjust(np.log(probabilities), counts, 0) == pytest.approx(np.log(probabilities), abs=1e-6)
