"""One learner on one seed, on points in the plane whose answers can be seen."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import pytest

from repr.errors import UserError
from repr.learners.learner import Learner
from rpc_transfer.images import Table
from rpc_transfer.protocol import Split
from rpc_transfer.trial import Task, base_step, make_task, run_trial


class Nearest(Learner):
    """Nearest class mean, written out, with a memory of what it was given."""

    input: ClassVar[Literal["features", "images"]] = "features"

    def __init__(self) -> None:
        self.means: dict[int, np.ndarray[Any, Any]] = {}
        self.given: list[list[int]] = []

    @property
    def classes_(self) -> Any:
        return np.array(sorted(self.means), dtype=np.int64)

    def learn(self, x: Any, y: Any) -> Nearest:
        self.given.append(y.tolist())
        for label in np.unique(y):
            self.means[int(label)] = x[y == label].mean(axis=0)
        return self

    def remove(self, classes: Any, x: Any = None, y: Any = None) -> Nearest:
        raise NotImplementedError

    def arrays(self) -> Any:
        raise NotImplementedError

    def restore(self, stored: Any) -> None:
        raise NotImplementedError

    def scores(self, x: Any) -> Any:
        return np.stack([-((x - self.means[c]) ** 2).sum(axis=1) for c in self.classes_], axis=1)


# Base 0 at (0, 0), base 1 at (10, 0); novel 2 at (0, 1), novel 3 at (0, 10). Row i of the catalog is point i.
POINTS = np.array(
    [[0, 0], [10, 0], [0, 1], [0, 10], *([0, 0.2], [0, 0.9], [9, 0], [0, 1.2], [0, 0.1], [1, 9]), [50, 50], [0, 0.3]], dtype=np.float32
)
LABELS = np.array([0, 0, 1, 2, 2, 3, -1])
TABLE = Table(POINTS, np.arange(len(POINTS)))


class Sure(Nearest):
    """The same; the highest score says how surely an image is of a product taught."""

    def known(self, x: Any) -> Any:
        return self.scores(x).max(axis=1)


def steps(*groups: list[int]) -> tuple[tuple[Any, Any], ...]:
    return tuple((np.array(group), np.array(group)) for group in groups)


def task(*groups: list[int], validation: tuple[int, ...] = ()) -> Task:
    return Task(steps(*groups), np.arange(4, 11), np.arange(7), LABELS, 2, ("a", "b", "a", "b"), np.array(validation, dtype=np.int64))


def run(of: Task, learner: Nearest | None = None, **options: Any) -> tuple[Nearest, Any]:
    learner = learner or Nearest()
    base_step(learner, TABLE, of)
    return learner, run_trial(learner, TABLE, of, **options)


def test_figures_that_can_be_seen() -> None:
    learner, trial = run(task([0, 1], [2, 3]))
    figures = trial.metrics
    assert trial.arrays["predictions"][:6].tolist() == [0, 2, 1, 2, 0, 3]  # (0, .9) is nearer to novel 2, (0, .1) to base 0
    assert figures["acc_all"] == 4 / 6 and figures["acc_base"] == 2 / 3 and figures["acc_novel"] == 2 / 3
    assert figures["base_to_novel"] == 1 / 3 and figures["novel_to_base"] == 1 / 3
    assert figures["acc_novel_only"] == 1, "among novel classes alone (0, .1) is novel 2"
    assert figures["acc_base_before"] == 1 and figures["forgetting_base"] == pytest.approx(1 / 3)
    assert figures["avg_incremental_acc"] == pytest.approx((1 + 4 / 6) / 2)
    assert (figures["supercategory/a"], figures["supercategory/b"]) == (2 / 4, 1.0)
    assert learner.given == [[0, 1], [2, 3]], "each step brings its own images alone"


def test_steps_one_class_at_a_time() -> None:
    _, trial = run(task([0, 1], [2], [3]))
    assert [step["classes"] for step in trial.details["steps"]] == [2, 3, 4]
    assert trial.details["steps"][1]["acc_all"] == 3 / 5, "the middle step is judged on the classes seen so far"
    assert trial.metrics["seconds"] > 0


def test_unknown_products_and_the_threshold() -> None:
    _, trial = run(task([0, 1], [2, 3], validation=(11,)), Sure(), reject=1.0)
    figures = trial.metrics
    assert figures["auroc_unknown"] == 1 and figures["fpr95_unknown"] == 0
    assert figures["reject_threshold"] == pytest.approx(-0.09)  # (0, .3) is 0.3 from base 0
    # within 0.3 of a mean: (0, .2), (0, .9), (0, 1.2), (0, .1); the second and the fourth get the wrong name
    assert figures["rejected_known"] == 2 / 6 and figures["acc_accepted"] == 2 / 4 and figures["accepted_unknown"] == 0


@pytest.mark.parametrize("kind", [Nearest, Sure])
def test_known_is_what_the_learner_answers(kind: type[Nearest]) -> None:
    learner, trial = run(task([0, 1], [2, 3]), kind())
    assert trial.arrays["known"] == pytest.approx(learner.known(POINTS[4:11]), rel=1e-5)
    probabilities = np.exp(learner.scores(POINTS[4:10]))
    highest = probabilities.max(axis=1) / probabilities.sum(axis=1)
    assert trial.arrays["confidence"][:6] == pytest.approx(highest, rel=1e-5)


def test_without_unknown_products_their_figures_do_not_apply() -> None:
    of = task([0, 1], [2, 3])
    known = of.labels >= 0
    of = Task(of.steps, of.tests[known], of.places[known], of.labels[known], of.base, of.supercategories)
    _, trial = run(of)
    assert np.isnan(trial.metrics["auroc_unknown"]) and "reject_threshold" not in trial.metrics


def test_all_at_once_has_no_forgetting() -> None:
    learner = Nearest()
    trial = run_trial(learner, TABLE, task([0, 1], [2, 3]))
    assert learner.given == [[0, 1, 2, 3]]
    assert trial.metrics["acc_all"] == 4 / 6
    assert all(np.isnan(trial.metrics[name]) for name in ("forgetting_base", "avg_incremental_acc", "seconds"))


def split(**changes: Any) -> Split:
    support = {"x": np.array([0, 1, 2]), "y": np.array([3, 4, 5]), "z": np.array([6, 7, 8])}
    tests = {"x": np.array([9]), "y": np.array([10]), "z": np.array([11]), "u": np.array([12, 13])}
    values: dict[str, Any] = {
        **{"data": "d", "split_seed": 0, "base": ("x", "y"), "novel": ("z",), "unknown": ("u",), "increments": (("z",),)},
        **{"supercategories": dict.fromkeys("xyzu", "m"), "names": {k: k for k in "xyzu"}, "shots": 3, "base_shots": None},
        **{"shots_from": "train", "test_on": "test", "support": {0: support}, "tests": {0: tests}},
    }
    return Split(**{**values, **changes})


def readable(*without: int) -> Table:
    place = np.arange(14)
    place[list(without)] = -1
    return Table(np.zeros((14, 1)), place)


def test_fewer_shots_are_the_first_ones_and_base_may_keep_its_own_number() -> None:
    (base, labels), (novel, _) = make_task(split(), 0, 2, readable()).steps
    assert base.tolist() == [0, 1, 3, 4] and labels.tolist() == [0, 0, 1, 1] and novel.tolist() == [6, 7]
    (base, _), (novel, _) = make_task(split(base_shots=3), 0, 1, readable()).steps
    assert base.tolist() == [0, 1, 2, 3, 4, 5] and novel.tolist() == [6]


def test_unreadable_images_are_left_out_and_places_stay_those_of_the_file() -> None:
    made = make_task(split(), 0, 3, readable(1, 10))
    assert made.steps[0][0].tolist() == [0, 2, 3, 4, 5]
    assert made.tests.tolist() == [9, 11, 12, 13] and made.places.tolist() == [0, 2, 3, 4] and made.labels.tolist() == [0, 2, -1, -1]


def test_a_product_without_a_readable_shot_is_an_error() -> None:
    with pytest.raises(UserError, match="none of the shots of 1 products can be read: y"):
        make_task(split(), 0, 2, readable(3, 4))
