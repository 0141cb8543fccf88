"""The configs of a run: which there are and in which order, what each may keep, and which rows are set against which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from repr.catalog.table import Catalog
from repr.evaluation.statistics import Metric
from repr.experiments.document import Row, TrialFile
from repr.models.weights import fresh
from rpc_transfer.configs import TransferConfig, comparisons, list_configs, memory, training_notes, used_weights
from rpc_transfer.draw import make_split
from rpc_transfer.protocol import Split
from rpc_transfer.settings import Settings
from rpc_transfer.weights import InitialWeights

NONE = InitialWeights("none", None, 32, "resnet18")
MINE = InitialWeights("runs/mine", fresh("resnet18", 32, 0), 32, "resnet18", crops=(1.0, 0.5))
IMAGENET = InitialWeights("imagenet", None, 160, "tf_efficientnet_lite0", "not installed", trained_at=32)
SETTINGS = Settings(novel=2, shots=(3,), learner=("ncm", "finetune"))


@pytest.fixture
def split(shop: Callable[..., Catalog]) -> Split:
    return make_split(shop([3, 4]), novel=2, shots=3, seeds=[0, 1])


def listed(settings: Settings) -> list[tuple[str, str, str, int]]:
    return [(c.learner, c.weights.name, c.features, c.shots) for c in list_configs(settings, [NONE, MINE, IMAGENET])]


def test_the_weights_stand_side_by_side_by_shots_and_learner() -> None:
    assert listed(SETTINGS) == [
        ("ncm", "none", "base-trained", 3),
        ("ncm", "runs/mine", "as given", 3),
        ("ncm", "imagenet", "as given", 3),
        ("finetune", "none", "trained", 3),
        ("finetune", "runs/mine", "trained", 3),
        ("finetune", "imagenet", "trained", 3),
    ]
    curve = listed(replace(SETTINGS, shots=(1, 3, 1), learner=("ncm", "ncm")))
    assert [shots for *_, shots in curve] == [1, 1, 1, 3, 3, 3]


def test_frozen_learners_have_a_row_for_each_encoder_asked_for() -> None:
    both = listed(replace(SETTINGS, learner=("ncm",), features="both"))
    assert [(name, kind) for _, name, kind, _ in both][:3] == [
        ("none", "base-trained"),
        ("runs/mine", "as given"),
        ("runs/mine", "base-trained"),
    ]


def test_what_is_set_is_said_with_what_it_came_to(split: Split) -> None:
    as_given, trained = TransferConfig(IMAGENET, "ncm", "as given", 2), TransferConfig(IMAGENET, "finetune", "trained", 2)
    assert (as_given.size, trained.size) == (160, 32)
    config = trained.as_set(SETTINGS, split)
    assert (config.weights, config.base_shots, config.increments, config.size, config.test_on) == ("imagenet", 2, (2,), 32, "test")
    assert config.memory == 7 * 2 and as_given.as_set(SETTINGS, split).memory is None


def test_memory_is_what_a_learner_may_keep(split: Split) -> None:
    few = replace(SETTINGS, memory=5)
    kept = {name: memory(few, split, TransferConfig(MINE, name, "trained", 3)) for name in ("finetune", "lwf", "joint")}
    assert kept == {"finetune": 5, "lwf": 0, "joint": 7 * 3}
    assert memory(replace(SETTINGS, memory=999), split, TransferConfig(MINE, "finetune", "trained", 3)) == 7 * 3


def test_weights_are_told_once_with_the_sides_they_are_used_at() -> None:
    larger = replace(MINE, size=64, trained_at=32)
    configs = [
        TransferConfig(larger, "ncm", "as given", 3),
        TransferConfig(larger, "finetune", "trained", 3),
        TransferConfig(NONE, "ncm", "base-trained", 3),
    ]
    (used,) = used_weights(configs)
    assert (used.name, used.arch, used.sizes, used.crops) == ("runs/mine", "resnet18", (32, 64), (1.0, 0.5))


def test_notes_say_what_training_does_that_nobody_typed(split: Split) -> None:
    notes = "\n".join(training_notes(replace(SETTINGS, base_alpha=0.5, features="both"), split))
    assert "0.5 of what the base step made" in notes and "every shot is kept" in notes and "updates with 3 shots" in notes
    assert training_notes(replace(SETTINGS, learner=("ncm",)), split) == []


def row(learner: str, weights: str, features: str, value: float, *, shots: int = 3, size: int = 32) -> Row:
    metric = Metric(value, None, (value, value))
    config = {"learner": learner, "weights": weights, "features": features, "shots": shots, "size": size}
    return Row(config, {"acc_all": metric}, (TrialFile(0, f"a{shots}", ""), TrialFile(1, f"b{shots}", "")))


def test_rows_are_set_against_other_weights_joint_training_and_linear_on_imagenet() -> None:
    rows = [
        row("ncm", "none", "base-trained", 0.1),
        row("ncm", "imagenet", "as given", 0.2),
        row("linear", "imagenet", "as given", 0.3),
        row("joint", "none", "trained", 0.4),
        row("ncm", "none", "base-trained", 0.5, shots=5),
        row("ncm", "imagenet", "base-trained", 0.6),
    ]
    pairs = {(test.a, test.b, test.against) for test in comparisons(rows)}
    assert pairs == {
        *((1, 0, "weights"), (5, 0, "weights")),  # not imagenet's two encoders, not other shots
        (0, 3, "joint"),
        *((0, 2, "imagenet"), (1, 2, "imagenet"), (3, 2, "imagenet"), (5, 2, "imagenet")),
    }
    assert {round(test.difference, 9) for test in comparisons(rows) if test.against == "joint"} == {-0.3}


def test_joint_training_on_images_of_another_size_is_no_upper_bound() -> None:
    rows = [row("ncm", "imagenet", "as given", 0.1, size=160), row("joint", "imagenet", "trained", 0.2)]
    assert comparisons(rows) == []


def test_a_row_that_could_not_be_run_is_not_compared() -> None:
    lost = Row(row("ncm", "imagenet", "as given", 0.2).config, {}, error="gone")
    assert comparisons([row("ncm", "none", "base-trained", 0.1), lost]) == []
