"""What holds for every learner on features, whatever its method."""

from __future__ import annotations

import copy
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from repr.errors import UserError
from repr.learners import FROZEN, LEARNERS, VARIANTS, explained, learner_class, make, read
from repr.learners.arrays import log_odds
from repr.learners.learner import Learner
from repr.settings import declared

Array = np.ndarray[Any, Any]
SETTINGS: dict[str, dict[str, Any]] = {"ranpac": {"dimensions": 300, "ridge": 1.0}, "teen": {"alpha": 0.1}}


def fresh(name: str) -> Learner:
    return make(name, **SETTINGS.get(name, {}))


NAMES = [name for name in [*FROZEN, *VARIANTS] if VARIANTS.get(name, (name, {}))[0] in FROZEN]
EXACT = [name for name in NAMES if name not in {"teen", "tfa"}]


@pytest.mark.parametrize("name", NAMES)
class TestOnTheClouds:
    def test_clouds_apart_are_told_apart(self, name: str, plane: tuple[Array, Array]) -> None:
        x, y = plane
        learner = fresh(name).learn(x, y)
        assert learner.classes_.tolist() == [3, 7, 10, 11, 40]
        queries = np.array([[5, 0.2], [4.2, 4], [0.1, 5], [-4, 2.8], [-3, -4.2]], dtype=np.float32)
        assert learner.predict(queries).tolist() == [3, 10, 11, 40, 7]

    def test_scores_are_float32_columns_of_the_sorted_classes(self, name: str, plane: tuple[Array, Array]) -> None:
        x, y = plane
        learner = fresh(name).learn(x, y)
        scores = learner.scores(x)
        assert scores.shape == (40, 5)
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()
        assert np.array_equal(learner.classes_[scores.argmax(axis=1)], learner.predict(x))
        assert learner.known(x).shape == (40,)

    def test_steps_of_one_class_and_empty_ones(self, name: str, plane: tuple[Array, Array]) -> None:
        x, y = plane
        learner = fresh(name)
        first = np.isin(y, [3, 10])
        learner.learn(x[first], y[first])
        for label in (40, 7, 11):
            learner.learn(x[y == label], y[y == label])
            before = learner.scores(x)
            learner.learn(x[:0], y[:0])
            assert np.array_equal(learner.scores(x), before)
        assert learner.classes_.tolist() == [3, 7, 10, 11, 40]
        assert (learner.predict(x) == y).mean() > 0.95

    def test_a_single_shot_of_a_class_and_fewer_than_asked(self, name: str, plane: tuple[Array, Array]) -> None:
        x, y = plane
        keep = (y != 40) | (np.cumsum(y == 40) == 1)
        learner = fresh(name).learn(x[keep], y[keep])
        assert (learner.predict(x) == y).mean() > 0.95

    def test_one_class_alone_is_always_the_answer(self, name: str, plane: tuple[Array, Array]) -> None:
        x, y = plane
        learner = fresh(name).learn(x[y == 40], y[y == 40])
        assert set(learner.predict(x).tolist()) == {40}

    def test_more_images_of_a_known_class_are_no_new_class(self, name: str, plane: tuple[Array, Array]) -> None:
        x, y = plane
        learner = fresh(name).learn(x, y).learn(x[:4], y[:4])
        assert len(learner.classes_) == 5
        assert (learner.predict(x) == y).mean() > 0.95

    def test_no_query_gives_no_answer(self, name: str, plane: tuple[Array, Array]) -> None:
        learner = fresh(name).learn(*plane)
        assert learner.scores(np.zeros((0, 2), dtype=np.float32)).shape == (0, 5)
        assert learner.predict(np.zeros((0, 2), dtype=np.float32)).shape == (0,)
        assert learner.known(np.zeros((0, 2), dtype=np.float32)).shape == (0,)

    def test_a_copy_answers_the_same_and_goes_its_own_way(self, name: str, plane: tuple[Array, Array]) -> None:
        x, y = plane
        old = y != 40
        learner = fresh(name).learn(x[old], y[old])
        twin = copy.deepcopy(learner)
        assert np.array_equal(twin.scores(x), learner.scores(x))
        twin.learn(x[~old], y[~old])
        assert 40 in twin.classes_
        assert 40 not in learner.classes_

    def test_a_row_of_zeros_gets_finite_scores(self, name: str, plane: tuple[Array, Array]) -> None:
        x, y = plane
        learner = fresh(name).learn(np.vstack([x, np.zeros((1, 2), np.float32)]), np.append(y, 3))
        assert np.isfinite(learner.scores(np.zeros((1, 2), dtype=np.float32))).all()

    def test_a_far_stranger_is_less_known(self, name: str, plane: tuple[Array, Array]) -> None:
        if name == "lda-root":
            pytest.skip("clouds across the axes are torn apart by the root, which is for features of one sign")
        x, y = plane
        learner = fresh(name).learn(x, y)
        stranger = np.array([[1.6, -3.2]], dtype=np.float32)  # midway between the two classes nearest by angle
        assert learner.known(stranger)[0] < np.quantile(learner.known(x), 0.1)

    def test_bad_arrays(self, name: str, plane: tuple[Array, Array]) -> None:
        x, y = plane
        with pytest.raises(UserError, match="nothing has been learned yet"):
            fresh(name).scores(x)
        with pytest.raises(UserError, match="first step has no images"):
            fresh(name).learn(x[:0], y[:0])
        with pytest.raises(UserError, match="labels of shape"):
            fresh(name).learn(x, y[:3])
        with pytest.raises(UserError, match="row 2 are not finite"):
            fresh(name).learn(np.where(np.arange(len(x))[:, None] == 2, np.nan, x), y)
        with pytest.raises(UserError, match="3 dimensions, but 2 were learned"):
            fresh(name).learn(x, y).scores(np.zeros((1, 3), dtype=np.float32))


@pytest.mark.parametrize("name", EXACT)
def test_the_steps_do_not_matter(name: str, shop: tuple[Array, Array, Array, Array]) -> None:
    x, y, queries, _ = shop
    at_once = fresh(name).learn(x, y)
    dealt = fresh(name)
    later = (y >= 7) | (np.arange(len(y)) % 6 == 0)  # five new classes and one more shot of each old one
    dealt.learn(x[~later], y[~later])
    for c in (11, 8, 0, 1, 2, 3, 4, 5, 6, 7, 9, 10):
        dealt.learn(x[later & (y == c)], y[later & (y == c)])
    tolerance = 0.1 if name == "linear" else 0.02  # trained from another start, up to its tolerance
    assert np.allclose(dealt.scores(queries), at_once.scores(queries), rtol=1e-3, atol=tolerance)


def test_unknown_names_and_settings_offer_the_nearest() -> None:
    with pytest.raises(UserError, match=r"no learner cosin.*Did you mean cosine"):
        make("cosin")
    with pytest.raises(UserError, match=r"there is no setting 'scal'.*Did you mean scale"):
        make("cosine", scal=3)
    with pytest.raises(UserError, match=r"distance is 'round'.*Choose from: plain"):
        make("ncm", distance="round")
    with pytest.raises(UserError, match=r"steps is -1.*0 or more"):
        make("cosine", steps=-1)
    with pytest.raises(UserError, match="trains an encoder and was given none"):
        make("finetune")


def test_log_odds_rank_as_probabilities_and_do_not_saturate() -> None:
    odds = log_odds(np.array([[0.0, 0.0], [np.log(3), 0.0], [0.0, 80.0], [0.0, 90.0]]))
    assert odds.tolist() == pytest.approx([0, np.log(3), 80, 90])
    assert log_odds(np.array([[4.0], [5.0]])).tolist() == [4, 5]
    assert log_odds(np.zeros((0, 3))).shape == (0,)


def test_settings_behind_the_name_are_those_of_the_constructor(plane: tuple[Array, Array]) -> None:
    x, y = plane
    typed = make("lda:shrinkage=0.7, root=TRUE").learn(x, y)
    assert np.array_equal(typed.scores(x), make("lda", shrinkage=0.7, root=True).learn(x, y).scores(x))
    assert not np.array_equal(typed.scores(x), make("lda-root").learn(x, y).scores(x))


def test_settings_are_read_as_their_defaults_are() -> None:
    assert read("lda-root:shrinkage=1")[1] == {"root": True, "shrinkage": 1.0}
    assert read("linear:steps=5,c=10")[1] == {"steps": 5, "c": 10.0}
    assert read("ncm:distance=plain,scale=3")[1] == {"distance": "plain", "scale": 3.0}
    assert read("lwf:weight=1")[1] == {"weight": 1.0}
    assert read("linear") == (learner_class("linear"), {})


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("lda:=1", "without a name"),
        ("lda:shrinkage=0.1,shrinkage=0.2", "set twice"),
        ("lda:scale=inf", "scale is inf"),
        ("lda:shrinkage", "shrinkage= is not a number"),
        ("lda:shrinkage=much", "is not a number"),
        ("lda:root=perhaps", "true or false"),
        ("linear:steps=1.5", "whole number"),
        ("lda:shrinkag=1", "Did you mean shrinkage"),
        ("finetune:lr=1", "Give `lr`"),
        ("bic:batch_size=8", "Give `batch_size`"),
        ("finetune:updates=100", "Give `epochs`"),
        ("wa:weight=1", "no settings of its own"),
        ("ldaa:root=true", "Did you mean lda"),
    ],
)
def test_settings_that_are_none(typed: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make(typed)


@pytest.mark.parametrize("name", LEARNERS)
def test_what_is_the_runs_is_declared_and_what_is_its_own_is_explained(name: str) -> None:
    cls = learner_class(name)
    assert cls.takes <= {"seed", "device", "memory", "epochs", "updates", "lr", "batch_size", "views"}
    assert cls.takes <= declared(cls).keys()
    assert [line.split(" (")[0] for line in explained(name)] == [key for key in declared(cls) if key not in cls.takes]


def test_the_names_of_learners_load_nothing_heavy() -> None:
    loaded = "import sys, repr.learners; print({'torch', 'numpy', 'scipy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True).stdout == "set()\n"
