"""What a run is told: limits, the form config.json keeps, updates."""

from __future__ import annotations

from typing import Any

import pytest

from repr.errors import UserError
from rpc_transfer.settings import Settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"novel": None}, "how many products are novel"),
        ({"shots": (5, 0)}, "shots"),
        ({"seeds": 0}, "seeds"),
        ({"reject": 1.5}, "no share"),
    ],
)
def test_limits(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Settings(**{"novel": 2, **changes})


def test_a_split_file_says_how_many_are_novel() -> None:
    assert Settings(split="old/split.json").split_file is not None
    assert Settings(novel=2, split="random").split_file is None


def test_arguments_are_as_typed() -> None:
    arguments = Settings(novel=2, shots=(1, 5), base_shots="all", weights=("a",)).arguments()
    assert Settings(novel=2).arguments()["shots"] is None
    assert arguments["shots"] == "1,5" and arguments["base_shots"] == "all" and arguments["weights"] == ["a"]


def test_updates_of_the_steps() -> None:
    assert Settings(novel=34).updates([1660, 340]) == (300, 300)
    assert Settings(novel=34).updates([1660, *[20] * 17]) == (300, 73)  # 300 / √17
    assert Settings(novel=2).updates([60, 20]) == (30, 30), "30 epochs of one batch"
    assert Settings(novel=34, epochs=2).updates([1660, 340]) == (2 * 26, 2 * 32), "batches of 64 of all images so far"


def test_a_learner_is_told_what_was_typed_and_it_takes() -> None:
    takes = frozenset({"epochs", "lr", "seed"})
    assert Settings(novel=2, epochs=7, lr=0.1).for_learner(takes) == {"epochs": 7, "lr": 0.1}
    assert Settings(novel=2, memory=9).for_learner(takes) == {}
