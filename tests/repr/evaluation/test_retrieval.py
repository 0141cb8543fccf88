"""Retrieval against pytorch-metric-learning, a plain loop, and values known by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

from repr.errors import UserError
from repr.evaluation import retrieval as module
from repr.evaluation.retrieval import NAMES, retrieval, right_on_level
from repr.search.exact import neighbours, top_k
from repr.vectors import normalised

THEIRS = {"recall@1": "precision_at_1", "map@r": "mean_average_precision_at_r", "r_precision": "r_precision", "mrr": "mean_reciprocal_rank"}


def points(n: int, classes: int, seed: int, dim: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors around a few class centres, classes of very unequal size."""
    generator = np.random.default_rng(seed)
    labels = np.minimum(generator.geometric(0.2, size=n) - 1, classes - 1)
    centres = generator.normal(size=(classes, dim))
    return normalised(centres[labels] + 1.5 * generator.normal(size=(n, dim))), labels.astype(np.int64)


@pytest.mark.parametrize("average", ["micro", "macro"])
@pytest.mark.parametrize("apart", [True, False])
def test_agrees_with_pytorch_metric_learning(apart: bool, average: str) -> None:
    queries, query_labels = points(300, 12, 0)
    gallery, gallery_labels = points(500, 10, 1) if apart else (None, None)
    ours = retrieval(queries, query_labels, gallery, gallery_labels)
    calculator = AccuracyCalculator(include=tuple(THEIRS.values()), k=None, avg_of_avgs=average == "macro", device=torch.device("cpu"))
    reference = (gallery, gallery_labels) if apart else (queries, query_labels)
    theirs = calculator.get_accuracy(*map(torch.from_numpy, (queries, query_labels, *reference)), ref_includes_query=not apart)
    for name, their_name in THEIRS.items():
        assert getattr(ours, average)[name] == pytest.approx(theirs[their_name], abs=1e-6), name


def slow(queries: np.ndarray, ql: np.ndarray, gallery: np.ndarray, gl: np.ndarray, own: bool) -> tuple[list[list[float]], int]:
    """The definitions, one query at a time over a full sort."""
    rows, lone = [], 0
    for i, (query, label) in enumerate(zip(queries, ql, strict=True)):
        order = [j for j in np.argsort(-(gallery @ query), kind="stable") if not (own and j == i)]
        right = [gl[j] == label for j in order]
        total = sum(right)
        if not total:
            lone += 1
            continue
        average = sum(sum(right[: k + 1]) / (k + 1) for k in range(total) if right[k]) / total
        rows.append([float(any(right[:k])) for k in (1, 5, 10)] + [average, sum(right[:total]) / total, 1 / (right.index(True) + 1)])
    return rows, lone


@settings(max_examples=25, deadline=None)
@given(n=st.integers(2, 60), m=st.integers(1, 60), classes=st.integers(1, 12), own=st.booleans(), seed=st.integers(0, 999))
def test_agrees_with_a_plain_loop(n: int, m: int, classes: int, own: bool, seed: int) -> None:
    queries, ql = points(n, classes, seed)
    gallery, gl = (queries, ql) if own else points(m, classes + 1, seed + 1)
    rows, lone = slow(queries, ql, gallery, gl, own)
    if not rows:
        with pytest.raises(UserError, match="no query has another image" if own else "no query's class is in the gallery"):
            retrieval(queries, ql, None if own else gallery, None if own else gl)
        return
    ours = retrieval(queries, ql, None if own else gallery, None if own else gl)
    np.testing.assert_allclose(ours.per_query, rows, atol=1e-9)
    assert ours.lone == lone and len(ours.rows) == n - lone


def test_small_pieces_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, labels = points(200, 8, 3)
    whole = retrieval(queries, labels)
    monkeypatch.setattr("repr.search.exact.RESULT_BYTES", 3000)
    monkeypatch.setattr(module, "BLOCK_BYTES", 1000)
    np.testing.assert_allclose(retrieval(queries, labels).per_query, whole.per_query, atol=1e-12)


def test_known_by_hand() -> None:
    """A query at 0 degrees; gallery at 10 (right), 20 (wrong), 30 (right), 40 (right) degrees: R = 3."""
    angles = np.radians([0, 10, 20, 30, 40])
    vectors = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    micro = retrieval(vectors[:1], np.array([1]), vectors[1:], np.array([1, 0, 1, 1])).micro
    assert micro == pytest.approx({"recall@1": 1, "recall@5": 1, "recall@10": 1, "map@r": (1 + 2 / 3) / 3, "r_precision": 2 / 3, "mrr": 1})
    far = retrieval(vectors[:1], np.array([2]), vectors[1:], np.array([0, 0, 0, 2]))
    assert far.micro["mrr"] == 1 / 4 and far.micro["recall@1"] == 0


def test_lone_queries_are_left_out_and_counted() -> None:
    vectors = normalised(np.random.default_rng(0).normal(size=(5, 4)))
    result = retrieval(vectors, np.array([0, 0, 1, 2, 2]))
    assert result.lone == 1 and result.rows.tolist() == [0, 1, 3, 4]
    assert (result.nearest >= 0).all() and (result.nearest != np.arange(5)).all()


def test_macro_is_the_mean_of_the_classes() -> None:
    vectors, labels = points(120, 6, 5)
    result = retrieval(vectors, labels)
    means = [result.per_query[result.labels == c].mean(axis=0) for c in np.unique(result.labels)]
    np.testing.assert_allclose(list(result.macro.values()), np.mean(means, axis=0))
    assert tuple(result.macro) == NAMES


def test_twins_stay_neighbours_and_the_query_itself_never() -> None:
    vectors = np.repeat(np.eye(3, dtype=np.float32), 15, axis=0)  # 15 images with the very same vector, three times
    _, positions = neighbours(vectors, vectors, 10, np.arange(45))
    assert positions.shape == (45, 10) and (positions != np.arange(45)[:, None]).all()
    assert (positions // 15 == np.arange(45)[:, None] // 15).all()
    assert retrieval(vectors, np.arange(45) // 15).micro["map@r"] == 1


def test_collapsed_embeddings_do_not_look_good() -> None:
    vectors = np.tile(np.array([[1, 0]], np.float32), (200, 1))
    labels = np.random.default_rng(0).permutation(np.arange(200) % 20)
    assert retrieval(vectors, labels).micro["recall@1"] < 0.2
    pairs = np.random.default_rng(1).permutation(np.arange(1000) % 500)
    assert retrieval(np.tile(vectors[:1], (1000, 1)), pairs).micro["mrr"] < 0.03  # the one right image is anywhere among 999


def test_search_caps_k_and_refuses_what_is_not_finite() -> None:
    vectors = normalised(np.random.default_rng(0).normal(size=(5, 4)))
    assert top_k(vectors, vectors, 99)[1].shape == (5, 5)
    assert neighbours(vectors, vectors, 99, np.arange(5))[1].shape == (5, 4)
    assert top_k(vectors[:0], vectors, 3)[1].shape == (0, 3)
    vectors[2, 1] = np.nan
    with pytest.raises(UserError, match="1 of 5 embeddings are not finite, first row 2"):
        top_k(vectors, vectors, 1)


def test_right_on_a_level() -> None:
    """Left out are queries without a label, and those of whose class the gallery holds nothing, or nothing but themselves."""
    nearest, gallery = np.array([0, 1, 2, 0]), np.array([0, 1, 1])
    assert right_on_level(nearest, np.array([0, 0, 1, -1]), gallery, apart=True) == pytest.approx(2 / 3)
    assert right_on_level(nearest, np.array([5, 1, -1, 1]), gallery, apart=True) == 0.5
    assert right_on_level(nearest, np.full(4, -1), gallery, apart=True) is None
    assert right_on_level(np.array([1, 2, 1]), gallery, gallery, apart=False) == 1.0
