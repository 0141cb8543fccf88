from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from repr.errors import UserError
from repr.learners.lda import LDA
from repr.learners.ncm import NCM

Array = np.ndarray[Any, Any]


@pytest.mark.parametrize("shrinkage", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("root", [False, True])
def test_it_is_scikit_learns(shrinkage: float, root: bool, shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, _ = shop
    reference = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage, priors=np.full(12, 1 / 12))
    transform = np.sqrt if root else np.asarray
    reference.fit(transform(x.astype(np.float64)), y)
    learner = LDA(shrinkage=shrinkage, root=root).learn(x, y)
    ours, theirs = learner.scores(queries), reference.decision_function(transform(queries.astype(np.float64)))
    # ours are theirs up to one factor and, for each query, one number: compare what is left
    ours, theirs = ours - ours[:, :1], theirs - theirs[:, :1]
    factor = float(np.vdot(ours, theirs) / np.vdot(theirs, theirs))
    assert factor > 0
    assert np.allclose(ours, factor * theirs, atol=2e-3 * np.abs(ours).max())
    assert np.array_equal(learner.predict(queries), reference.predict(transform(queries.astype(np.float64))))


def test_all_shrunk_it_is_nearest_class_mean(shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, _ = shop
    learner, reference = LDA(shrinkage=1, scale=20).learn(x, y), NCM(distance="plain").learn(x, y)
    assert np.array_equal(learner.predict(queries), reference.predict(queries))
    ours, theirs = learner.scores(queries), reference.scores(queries)
    assert np.allclose(ours - ours[:, :1], theirs - theirs[:, :1], atol=1e-2)


def test_it_sees_that_one_direction_says_nothing() -> None:
    """Two classes 1 apart along x; along y each varies by 10. A query beside the left class, far off along y, is left's."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 20)
    x = np.stack([y + rng.normal(0, 0.05, 40), rng.normal(0, 10, 40)], axis=1).astype(np.float32)
    x[:, 1] += np.where(y == 1, 5, 0)
    query = np.array([[0.0, 6.0]], dtype=np.float32)
    assert NCM(distance="plain").learn(x, y).predict(query).tolist() == [1]
    assert LDA(shrinkage=0.0001).learn(x, y).predict(query).tolist() == [0]


def test_single_shots_everywhere_are_nearest_class_mean(shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, _ = shop
    assert np.array_equal(LDA().learn(x[::6], y[::6]).predict(queries), NCM(distance="plain").learn(x[::6], y[::6]).predict(queries))


def test_the_root_keeps_signs() -> None:
    x = np.array([[4.0], [9.0], [-4.0], [-9.0]], dtype=np.float32)
    learner = LDA(root=True).learn(x, np.array([0, 0, 1, 1]))
    assert learner.means_.rows().ravel().tolist() == [2.5, -2.5]


def test_without_shrinkage_few_images_are_too_few() -> None:
    x = np.random.default_rng(0).normal(size=(6, 16)).astype(np.float32)
    with pytest.raises(UserError, match=r"too few images \(6\) for a covariance in 16 dimensions"):
        LDA(shrinkage=0).learn(x, np.repeat([0, 1], 3)).scores(x)


def test_shrinkage_has_limits() -> None:
    with pytest.raises(UserError, match=r"shrinkage is 1.5.*from 0 to 1"):
        LDA(shrinkage=1.5)


def test_in_a_big_shop_a_few_images_leave_the_covariance_as_it_was(shop: tuple[Array, Array, Array, Array]) -> None:
    """New means are answered at once, by the covariance of before; more images than a thousandth bring it up to date."""
    x, y, queries, _ = shop
    many = np.tile(x, (100, 1))  # 7,200 images
    learner = LDA().learn(many, np.tile(y, 100))
    before = learner.scores(queries)
    learner.learn(queries[:3], np.array([99, 3, 3]))  # a new class, and more of a known one
    after = learner.scores(queries)
    others = [c for c in range(12) if c != 3]
    assert np.array_equal(after[:, others], before[:, others])
    inverse = learner._solve().inverse
    for column, label in ((3, 3), (12, 99)):
        mean = learner.means_.row(label)
        expected = learner.scale / learner._solve().usual * (queries @ inverse @ mean - 0.5 * mean @ inverse @ mean)
        assert np.allclose(after[:, column], expected, rtol=1e-3, atol=1e-3)
    learner.learn(queries[3:20], np.full(17, 98))
    whole = LDA().learn(np.vstack([many, queries[:20]]), np.concatenate([np.tile(y, 100), [99, 3, 3], np.full(17, 98)]))
    assert np.allclose(learner.scores(queries), whole.scores(queries), rtol=1e-3, atol=1e-3)
