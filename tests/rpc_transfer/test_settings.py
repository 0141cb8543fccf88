"""What a run is told: limits, the form config.json keeps, updates."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from repr.errors import UserError
from repr.learners import LEARNERS, TRAINED, VARIANTS
from repr.settings import from_mapping
from rpc_transfer.settings import FIRST_LEARNERS, Settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"novel": None}, "how many products are novel"),
        ({"shots": (5, 0)}, "shots"),
        ({"seeds": 0}, "seeds"),
        ({"reject": 1.5}, "reject is 1.5"),
        ({"crops": (0.05,)}, "crops is 0.05"),
        ({"base_shots": "few"}, "base_shots is 'few'"),
    ],
)
def test_limits(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Settings(**{"novel": 2, **changes})


def test_a_split_file_says_how_many_are_novel() -> None:
    assert Settings(split="old/split.json").split_file is not None
    assert Settings(novel=2, split="random").split_file is None


def test_arguments_make_the_same_settings() -> None:
    settings = Settings(novel=2, shots=(1, 5), base_shots="all", weights=("a",), learner=("frozen", "lda:shrinkage=0.5"), crops=(0.5, 1))
    arguments = settings.arguments()
    assert json.loads(json.dumps(arguments)) == arguments and arguments["shots"] == [1, 5] and arguments["crops"] == [1.0, 0.5]
    assert Settings(**from_mapping(Settings, arguments)) == settings


@pytest.mark.parametrize(
    ("typed", "features", "learners", "encoders"),
    [
        ((), None, FIRST_LEARNERS, "given"),
        (("all",), None, (*LEARNERS, *VARIANTS), "both"),
        (("all",), "given", (*LEARNERS, *VARIANTS), "given"),
        (("trained", "ncm", "finetune"), None, (*TRAINED, "ncm"), "given"),
    ],
)
def test_groups_of_learners_are_spelt_out(typed: tuple[str, ...], features: Any, learners: tuple[str, ...], encoders: str) -> None:
    settings = Settings(novel=2, learner=typed, features=features)
    assert (set(settings.learner), settings.features) == (set(learners), encoders)
    assert len(set(settings.learner)) == len(settings.learner) and replace(settings, seeds=3).learner == settings.learner


@pytest.mark.parametrize(("data_seed", "split_seed", "used"), [(None, None, 0), (None, 4, 4), (7, 4, 7), (0, 4, 0)])
def test_a_set_without_a_split_is_divided_by_the_data_seed(data_seed: int | None, split_seed: int | None, used: int) -> None:
    assert Settings(novel=2, data_seed=data_seed, split_seed=split_seed).division_seed == used


def test_updates_of_the_steps() -> None:
    assert Settings(novel=34).updates([1660, 340]) == (300, 300)
    assert Settings(novel=34).updates([1660, *[20] * 17]) == (300, 73)  # 300 / √17
    assert Settings(novel=2).updates([60, 20]) == (30, 30), "30 epochs of one batch"
    assert Settings(novel=34, epochs=2).updates([1660, 340]) == (2 * 26, 2 * 32), "batches of 64 of all images so far"


def test_a_learner_is_told_what_was_typed_and_it_takes() -> None:
    takes = frozenset({"epochs", "lr", "seed"})
    assert Settings(novel=2, epochs=7, lr=0.1).for_learner(takes) == {"epochs": 7, "lr": 0.1}
    assert Settings(novel=2, memory=9).for_learner(takes) == {}
