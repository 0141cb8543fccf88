from __future__ import annotations

import numpy as np
import pytest

from repr.lookup.gallery import Gallery
from repr.lookup.ranking import Ranking
from repr.lookup.unknown import signals_of, usual_of


def test_signals_by_hand() -> None:
    """Product a: east and north; b: one image, west. A query to the north-east, the best product a by log-odds 2."""
    gallery = Gallery(np.array([[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]]), ["a", "a", "b"], np.arange(3))
    ranking = Ranking(np.array([[4.0, 0.0], [1.0, 0.0]], dtype=np.float32), np.array([[0, 1], [1, 0]]))
    queries = np.array([[1.0, 1.0], [-1.0, 0.0]], dtype=np.float32)
    signals = signals_of(queries, ranking, gallery, temperature=2.0, usual=0.7)
    half = np.sqrt(0.5)
    assert np.allclose(signals, [[2.0, half, 1.0], [0.5, 1.0, 1 - 0.7]], atol=1e-5)  # east and north are at right angles: usually 0
    assert usual_of(gallery) == pytest.approx(0, abs=1e-6)


def test_a_single_product_has_no_rival_and_is_finite() -> None:
    gallery = Gallery(np.eye(2), ["a", "a"], np.arange(2))
    ranking = Ranking(np.array([[7.0, -np.inf]], dtype=np.float32), np.array([[0, -1]]))
    assert np.isfinite(signals_of(np.ones((1, 2), np.float32), ranking, gallery, temperature=1.0, usual=1.0)).all()
