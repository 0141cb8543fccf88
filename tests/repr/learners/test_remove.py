"""What `remove` leaves: the answers of a learner that was taught without these classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from repr.errors import UserError
from repr.learners import FROZEN, LEARNERS, TRAINED, VARIANTS, make
from repr.learners.lda import STALE

Array = np.ndarray[Any, Any]
Small = Callable[[], Any]
STEPS = [[7, 2, 5, 0, 1, 3, 4], [11], [8, 6], [10, 9]]
GONE = [3, 7, 8, 11]  # of the first step, all of a later one, and one of two
FEATURES: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in (*FROZEN, *VARIANTS) if name != "ranpac"}
FEATURES |= {f"ranpac {m}": ("ranpac", {"dimensions": m, "ridge": 1.0}) for m in (30, 400)}  # the images kept, and beyond


def fresh(case: str) -> Any:
    name, settings = FEATURES[case]
    return make(name, **settings)


def learn(learner: Any, x: Array, y: Array, steps: list[list[int]], without: tuple[int, ...] = ()) -> Any:
    for step in steps:
        rows = np.isin(y, step) & ~np.isin(y, without)
        if rows.any():
            learner.learn(x[rows], y[rows])
    return learner


def assert_close(a: Any, b: Any, queries: Array, tolerance: float) -> None:
    assert np.array_equal(a.classes_, b.classes_)
    np.testing.assert_allclose(a.scores(queries), b.scores(queries), rtol=tolerance, atol=tolerance * np.abs(b.scores(queries)).max())
    np.testing.assert_allclose(a.known(queries), b.known(queries), rtol=100 * tolerance, atol=100 * tolerance)


@pytest.mark.parametrize("case", FEATURES)
@pytest.mark.parametrize("answered_before", [False, True], ids=["not asked before", "asked before"])
class TestAsIfNeverTaught:
    def test_then_and_afterwards(self, case: str, answered_before: bool, shop: tuple[Array, Array, Array, Array]) -> None:
        """neighbour, cosine and tfa to the same bits; means and scatter to rounding; linear, which trains anew from zero, as at once."""
        x, y, queries, _ = shop
        learner = learn(fresh(case), x, y, STEPS)
        if answered_before:
            learner.scores(queries)
        assert learner.remove(GONE, x, y) is learner
        steps = [[c for step in STEPS for c in step]] if case == "linear" else STEPS
        reference = learn(fresh(case), x, y, steps, without=tuple(GONE))
        if case in {"neighbour", "cosine", "tfa"}:
            assert np.array_equal(learner.scores(queries), reference.scores(queries))
        assert_close(learner, reference, queries, 0.02 if case == "linear" else 1e-4)
        for both in (learner, reference):
            both.learn(x[y == 7], y[y == 7])
            both.learn(x[y == 0][:2], y[y == 0][:2])
        assert_close(learner, reference, queries, 0.02 if case == "linear" else 1e-4)

    def test_all_of_them(self, case: str, answered_before: bool, shop: tuple[Array, Array, Array, Array]) -> None:
        """Then it is as one that was never taught: it may be taught features of another width."""
        x, y, queries, _ = shop
        learner = learn(fresh(case), x, y, STEPS)
        if answered_before:
            learner.scores(queries)
        learner.remove(range(12), x, y)
        assert len(learner.classes_) == 0
        with pytest.raises(UserError, match="nothing has been learned yet"):
            learner.scores(queries)
        x, queries = x[:, :7], queries[:, :7]
        assert np.array_equal(learner.learn(x, y).scores(queries), fresh(case).learn(x, y).scores(queries))


@pytest.mark.parametrize("case", FEATURES)
def test_what_was_never_taught_and_nothing_at_all(case: str, shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, _ = shop
    learner = learn(fresh(case), x, y, STEPS)
    before = learner.scores(queries)
    with pytest.raises(UserError, match="class 99 is not among the 12 taught"):
        learner.remove([3, 99], x, y)
    assert np.array_equal(learner.remove([]).scores(queries), before)


def needs(case: str, x: Array, y: Array) -> str:
    return str(learn(fresh(case), x, y, STEPS).removal_needs)


def test_which_learners_need_what(shop: tuple[Array, Array, Array, Array], small_encoder: Small) -> None:
    x, y, *_ = shop
    assert {case for case in FEATURES if needs(case, x, y) == "removed"} == {"lda", "lda-root", "ranpac 30"}
    assert all(needs(case, x, y) in {"removed", "nothing"} for case in FEATURES)
    of_trained = {name: make(name, encoder=small_encoder(), device="cpu").removal_needs for name in TRAINED}
    assert of_trained == {name: "remaining" if name == "lwf" else "nothing" for name in TRAINED}
    assert make("wa", encoder=small_encoder(), device="cpu", memory=20).removal_needs == "remaining"


@pytest.mark.parametrize("case", ["lda", "ranpac 30"])
def test_vectors_that_are_not_those_taught(case: str, shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, _ = shop
    learner = learn(fresh(case), x, y, STEPS)
    before = learner.scores(queries)
    rows = y == 3
    for wrong_x, wrong_y in [(x[rows] * 2, y[rows]), (x[y == 4], y[rows]), (x[rows][:-1], y[rows][:-1]), (x[y != 3], y[y != 3])]:
        if case == "ranpac 30" and wrong_x.shape == x[rows].shape and np.allclose(wrong_x, x[rows] * 2):
            continue  # its features are of length 1
        with pytest.raises(UserError, match="class 3"):
            learner.remove([3], wrong_x, wrong_y)
    with pytest.raises(UserError, match="vectors of the classes to be removed are needed, and were not given"):
        learner.remove([3])
    assert np.array_equal(learner.scores(queries), before) and 3 in learner.classes_
    half = x.astype(np.float16).astype(np.float32)  # as an index may keep them
    assert 3 not in learner.remove([3], half[rows], y[rows]).classes_


def test_products_that_come_and_go_bring_ldas_covariance_up_to_date(shop: tuple[Array, Array, Array, Array]) -> None:
    """Five images came in the end, less than a thousandth; but five more came and went, and together they are more."""
    x, y, queries, _ = shop
    many, labels = np.tile(x, (100, 1)), np.tile(y, 100)
    learner = make("lda").learn(many, labels)
    before = learner.scores(queries)
    assert 5 < STALE * len(many) < 15
    for label in (50, 51):
        learner.learn(queries[:5], np.full(5, label))
    assert np.array_equal(make("lda").learn(many, labels).scores(queries), before)
    learner.remove([50], queries[:5], np.full(5, 50))
    after = learner.scores(queries)
    reference = make("lda").learn(np.vstack([many, queries[:5]]), np.concatenate([labels, np.full(5, 51)]))
    assert not np.array_equal(after[:, :12], before)
    np.testing.assert_allclose(after, reference.scores(queries), rtol=1e-4, atol=1e-4)


def test_a_removal_too_small_for_a_new_covariance_moves_the_others_rightly(shop: tuple[Array, Array, Array, Array]) -> None:
    """Two single images more in a big shop, the first of them removed: the second is answered as if it alone had come."""
    x, y, queries, _ = shop
    many, labels = np.tile(x, (100, 1)), np.tile(y, 100)
    learners = [make("lda").learn(many, labels) for _ in range(3)]
    for learner in learners:
        learner.scores(queries)
    answered, unanswered, alone = learners
    answered.learn(queries[:2], np.array([60, 61])).scores(queries)
    answered.remove([60], queries[:1], np.array([60]))
    unanswered.learn(queries[:2], np.array([60, 61])).remove([60], queries[:1], np.array([60]))
    alone.learn(queries[1:2], np.array([61]))
    for learner in (answered, unanswered):
        np.testing.assert_allclose(learner.scores(queries), alone.scores(queries), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("distance", ["plain", "centred", "cosine"])
def test_single_images_that_are_left_have_no_scatter(distance: str, shop: tuple[Array, Array, Array, Array]) -> None:
    """With the only class gone that had several images, the usual distance is that to the mean of all, exactly as without it."""
    x, y, queries, _ = shop
    single = np.unique(y, return_index=True)[1]
    rows = np.concatenate([single, np.flatnonzero(y == 5)[1:]])
    for name, settings in (("ncm", {"distance": distance}), ("lda", {})):
        learner = make(name, **settings).learn(x[rows], y[rows]).remove([5], x[rows], y[rows])
        reference = make(name, **settings).learn(x[single[single != 30]], y[single[single != 30]])
        assert_close(learner, reference, queries, 1e-4)


def test_teens_base_is_calibrated_against_as_long_as_it_is_there(shop: tuple[Array, Array, Array, Array]) -> None:
    """When the last base class goes, the novel ones, all of one step, are what they would have been as a first step: plain class means."""
    x, y, queries, _ = shop
    learner = learn(make("teen"), x, y, [[0, 1], [5, 3, 9]]).remove([0, 1])
    reference = learn(make("teen"), x, y, [[5, 3, 9]])
    assert_close(learner, reference, queries, 1e-5)
    for both in (learner, reference):
        both.learn(x[y == 7], y[y == 7])
    assert_close(learner, reference, queries, 1e-5)


QUICK: dict[str, Any] = {"device": "cpu", "epochs": 2, "lr": 0.05, "batch_size": 12, "seed": 5}


@pytest.mark.parametrize("name", TRAINED)
class TestOfImages:
    def test_it_starts_over_with_what_remains(self, name: str, small_encoder: Small, coloured: tuple[Array, Array, Array, Array]) -> None:
        x, y, queries, _ = coloured
        learner = learn(make(name, encoder=small_encoder(), **QUICK), x, y, [[5, 2, 9, 4], [7, 30]])
        learner.remove([9, 30], x, y)
        left = ~np.isin(y, [9, 30])
        reference = make(name, encoder=small_encoder(), **QUICK).learn(x[left], y[left])
        assert learner.classes_.tolist() == [2, 4, 5, 7]
        assert np.array_equal(learner.scores(queries), reference.scores(queries))
        for both in (learner, reference):
            both.learn(x[y == 30], y[y == 30])
        assert np.array_equal(learner.scores(queries), reference.scores(queries))

    def test_from_its_memory_or_not_at_all(self, name: str, small_encoder: Small, coloured: tuple[Array, Array, Array, Array]) -> None:
        x, y, queries, _ = coloured
        learner = learn(make(name, encoder=small_encoder(), **QUICK), x, y, [[5, 2, 9, 4], [7, 30]])
        before = learner.scores(queries)
        if name == "lwf":
            with pytest.raises(UserError, match="images of the classes that remain are needed"):
                learner.remove([9])
            with pytest.raises(UserError, match="class 30 has none among those given"):
                learner.remove([9], x[y != 30], y[y != 30])
            with pytest.raises(UserError, match="not uint8"):
                learner.remove([9], x / 255, y)
            assert np.array_equal(learner.scores(queries), before), "refused, it is what it was"
            return
        left = y != 9
        order = np.argsort(y[left], kind="stable")  # of a memory
        reference = make(name, encoder=small_encoder(), **QUICK).learn(x[left][order], y[left][order])
        assert np.array_equal(learner.remove([9]).scores(queries), reference.scores(queries))

    def test_all_of_them(self, name: str, small_encoder: Small, coloured: tuple[Array, Array, Array, Array]) -> None:
        x, y, queries, _ = coloured
        learner = make(name, encoder=small_encoder(), **QUICK).learn(x, y).remove(set(y.tolist()))
        assert len(learner.classes_) == 0
        reference = make(name, encoder=small_encoder(), **QUICK).learn(x, y)
        assert np.array_equal(learner.learn(x, y).scores(queries), reference.scores(queries))


def test_all_learners_are_tried() -> None:
    assert {name for name, _ in FEATURES.values()} | set(TRAINED) == {*LEARNERS, *VARIANTS}
