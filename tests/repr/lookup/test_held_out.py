from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score, top_k_accuracy_score

from repr.learners.ncm import NCM
from repr.lookup import held_out as module
from repr.lookup.held_out import FOLDS, HeldOut, alike, folds_of, held_out, held_out_arrays, scattered
from repr.vectors import normalised
from tests.repr.lookup.galleries import drawn, shop


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(2, 5))
def test_every_product_stays_in_every_fold(counts: list[int], folds: int) -> None:
    y = np.repeat(np.arange(len(counts)), counts)
    x = np.random.default_rng(0).normal(size=(len(y), 4)).astype(np.float32)
    fold = folds_of(x, y, folds)
    assert fold.max() < folds
    for number, count in enumerate(counts):
        of_product = fold[y == number]
        assert (of_product == -1).all() == (count == 1)
        if count > 1:
            assert (of_product >= 0).all()
            assert len(np.unique(of_product)) == min(count, folds)


def test_products_of_equally_many_images_lose_as_many_at_a_time() -> None:
    x = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    fold = folds_of(x, np.repeat(np.arange(10), 2), 5)
    assert np.bincount(fold).tolist() == [10, 10]


def test_photographs_taken_in_a_row_are_left_out_together() -> None:
    """Three shelves, four photographs of each: a shelf is never on both sides."""
    rng = np.random.default_rng(0)
    shelf = np.tile(np.arange(3), 4)
    x = np.eye(3)[shelf] + 0.05 * rng.normal(size=(12, 3))
    fold = folds_of(np.vstack([x, x]).astype(np.float32), np.repeat([0, 1], 12), 3)
    for product in (fold[:12], fold[12:]):
        assert all(len(np.unique(product[shelf == number])) == 1 for number in range(3))


def test_groups_are_scikit_learns() -> None:
    x = normalised(np.random.default_rng(0).normal(size=(40, 6)))
    reference = AgglomerativeClustering(n_clusters=5, linkage="ward").fit_predict(x)
    assert adjusted_rand_score(reference, alike(x, 5)) == 1


def test_equal_images_are_cut_all_the_same() -> None:
    assert np.bincount(alike(np.ones((6, 3), dtype=np.float32), 3)).tolist() == [2, 2, 2]


def test_many_images_go_with_the_nearest_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROUPED", 10)
    centre = np.repeat([0, 1, 2], 20)
    x = normalised(np.eye(3)[centre] + 0.05 * np.random.default_rng(0).normal(size=(60, 3)))
    assert adjusted_rand_score(centre, alike(x, 3)) == 1


def test_each_image_is_asked_of_a_learner_without_its_fold() -> None:
    x, y = drawn(4, 6)
    fold = folds_of(x, y, 3)
    held = held_out_arrays(x, y, "ncm", fold)
    row = 7
    expected = NCM().learn(x[fold != fold[row]], y[fold != fold[row]]).scores(x[row : row + 1])
    assert np.allclose(held.scores[held.rows == row], expected, atol=1e-5)


def test_ranks_are_scikit_learns_top_k() -> None:
    rng = np.random.default_rng(0)
    scores, columns = rng.normal(size=(50, 8)).astype(np.float32), rng.integers(0, 8, 50)
    held = HeldOut(np.arange(50), columns, scores, np.arange(8))
    for top in (1, 3, 5):
        assert held.right(top).mean() == pytest.approx(top_k_accuracy_score(columns, scores, k=top, labels=np.arange(8)))


def test_a_tie_goes_to_the_earlier_class() -> None:
    scores = np.ones((2, 3), dtype=np.float32)
    held = HeldOut(np.arange(2), np.array([0, 2]), scores, np.arange(3))
    assert held.ranks.tolist() == [0, 2]


def test_logits_are_the_right_score_and_the_highest_others() -> None:
    scores = np.array([[3.0, 1.0, 2.0], [5.0, 4.0, 6.0]], dtype=np.float32)
    held = HeldOut(np.arange(2), np.array([1, 0]), scores, np.arange(3))
    assert np.sort(held.logits(), axis=1).tolist() == [[1, 2, 3], [4, 5, 6]]
    assert held.logits()[:, 0].tolist() == [1, 5]


def test_products_count_alike_however_many_images_they_have() -> None:
    scores = np.array([[1, 0], [1, 0], [0, 1], [1, 0]], dtype=np.float32)
    held = HeldOut(np.arange(4), np.array([0, 0, 0, 1]), scores, np.arange(2))
    assert held.by_product() == {0: pytest.approx(2 / 3), 1: 0}


def test_a_gallery_of_single_images_is_asked_nothing() -> None:
    assert not len(held_out(shop(5, 1), "ncm").rows)


def test_scattered_images_leave_some_of_every_product_in_every_fold() -> None:
    y = np.repeat([0, 1, 2, 3], [1, 2, 7, 50])
    fold = scattered(y)
    assert fold[0] == -1 and set(fold[1:]) == set(range(FOLDS))
    for label in (1, 2, 3):
        counts = np.bincount(fold[y == label], minlength=FOLDS)
        assert counts.max() - counts.min() <= 1 and counts.max() < counts.sum()
    assert np.array_equal(fold, scattered(y)) and len(set(fold[y == 3][:5])) > 1
