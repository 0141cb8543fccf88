"""What a method chooses where nothing was typed."""

from __future__ import annotations

from typing import Any

import pytest

from repr.methods import METHODS, load
from repr.training.settings import Settings


@pytest.mark.parametrize("method", METHODS)
def test_what_is_open_is_the_methods_own(method: str) -> None:
    recipe = load(method).recipe
    found = Settings(method=method, epochs=200, batch_size=256).resolved()
    assert (found.lr, found.optimiser, found.weight_decay) == (recipe.lr, recipe.optimiser, recipe.weight_decay)
    assert (found.warmup, found.views) == (recipe.warmup, load(method).default_views)
    assert Settings(method=method, epochs=200, batch_size=256, init="imagenet").resolved().lr == recipe.lr_from_weights
    assert found.resolved() == found


def test_a_short_run_warms_up_for_a_tenth() -> None:
    assert Settings(method="simclr", epochs=20).resolved().warmup == 2.0


def test_what_was_typed_stays() -> None:
    typed: dict[str, Any] = {"lr": 0.0, "optimiser": "sgd", "weight_decay": 0.0, "warmup": 0.0, "views": "simclr"}
    found = Settings(method="byol", **typed).resolved()
    assert {name: getattr(found, name) for name in typed} == typed


def test_the_records_leave_out_what_is_open_still() -> None:
    told = Settings(method="simclr", size=32).in_force()
    assert None not in told.values() and told["size"] == 32 and "level" not in told
