"""What a pretraining run is told: as typed, as recorded, and what differs from another run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from repr.errors import UserError
from repr.methods import METHODS, load
from repr.methods.settings import MoCoSettings, SimCLRSettings
from repr.settings import declared
from repr.training.settings import MACHINE, Settings


@pytest.mark.parametrize("method", METHODS)
def test_a_method_has_its_own_settings_by_default(method: str) -> None:
    assert Settings(method=method).own == METHODS[method].settings()


def test_arguments_name_the_method_with_its_settings() -> None:
    settings = Settings.read({"method": "simclr:temperature=0.2", "epochs": 3, "data": ["shop"], "resume": True})
    assert settings == Settings(method="simclr", own=SimCLRSettings(temperature=0.2), epochs=3)
    assert Settings.read({}) == Settings()
    with pytest.raises(UserError, match="Did you mean temperature"):
        Settings.read({"method": "simclr:temperatur=0.2"})


def test_what_is_recorded_says_all_and_is_json() -> None:
    record = Settings(method="moco", own=MoCoSettings(queue=9)).as_dict()
    assert json.loads(json.dumps(record)) == record and record["own"] == {"temperature": 0.2, "queue": 9}
    assert set(record) == {*declared(Settings), "own"}


def test_differences_are_of_what_is_computed() -> None:
    settings = Settings(method="simclr", own=SimCLRSettings(temperature=0.2), epochs=3)
    assert settings.differences(settings.as_dict()) == {}
    other = Settings(method="simclr", device="cpu", workers=3, pixels="disk", compile=True, devices=2)
    assert settings.differences(other.as_dict()) == {"epochs": (20, 3), "temperature": (0.1, 0.2)}
    assert set(declared(Settings)) >= MACHINE
    assert settings.differences(Settings(epochs=3).as_dict()) == {
        "method": ("supervised", "simclr"),
        "temperature": (None, 0.2),
        "decoupled": (None, False),
    }


def test_the_rate_is_the_one_given_else_the_methods_at_this_batch() -> None:
    recipe = Settings(method="simclr").recipe
    assert Settings(method="simclr", lr=0.3).rate() == 0.3
    assert Settings(method="simclr", batch_size=64).rate() == recipe.rate(64, from_weights=False)
    assert Settings(method="simclr", init="imagenet").rate() == recipe.rate(64, from_weights=True)


def test_another_optimiser_needs_a_rate_of_its_own() -> None:
    with pytest.raises(UserError, match="rate is for lars, not sgd"):
        Settings(method="simclr", optimiser="sgd")
    assert Settings(method="simclr", optimiser="sgd", lr=0.1).rate() == 0.1
    assert Settings(method="simclr", optimiser="lars").optimiser == "lars"


@pytest.mark.parametrize("method", METHODS)
def test_what_is_open_is_the_methods_own(method: str) -> None:
    recipe = load(method).recipe
    resolved = Settings(method=method, epochs=200, batch_size=256).resolved()
    assert (resolved.lr, resolved.optimiser, resolved.weight_decay) == (recipe.lr, recipe.optimiser, recipe.weight_decay)
    assert (resolved.warmup, resolved.views) == (recipe.warmup, load(method).default_views)
    assert Settings(method=method, epochs=200, batch_size=256, init="imagenet").resolved().lr == recipe.lr_from_weights
    assert resolved.resolved() == resolved


def test_a_short_run_warms_up_for_a_tenth() -> None:
    assert Settings(method="simclr", epochs=20).resolved().warmup == 2.0


def test_what_was_typed_stays() -> None:
    typed: dict[str, Any] = {"lr": 0.0, "optimiser": "sgd", "weight_decay": 0.0, "warmup": 0.0, "views": "simclr"}
    resolved = Settings(method="byol", **typed).resolved()
    assert {name: getattr(resolved, name) for name in typed} == typed


def test_the_records_leave_out_what_is_open_still() -> None:
    record = Settings(method="simclr", size=32).in_force()
    assert None not in record.values() and record["size"] == 32 and "level" not in record
