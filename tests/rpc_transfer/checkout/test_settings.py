"""What is set of scenes and of a detector's training: limits, what goes together, and the presets."""

from __future__ import annotations

from dataclasses import fields

import pytest

from repr.errors import UserError
from repr.settings import declared
from rpc_transfer.checkout.settings import PRESETS, Scenes, Training


@pytest.mark.parametrize(
    ("owner", "given", "message"),
    [
        (Scenes, {"scenes": 0}, "scenes is 0. It takes 1 or more"),
        (Scenes, {"occlusion": 0.95}, "occlusion is 0.95. It takes from 0 to 0.9"),
        (Scenes, {"masks": "grabcat"}, "masks is 'grabcat'. Did you mean grabcut?"),
        (Scenes, {"split": "training"}, "split is 'training'. Did you mean train?"),
        (Training, {"preset": "medium"}, "preset is 'medium'. Choose from: small, large"),
        (Training, {"side": 300}, "side is 300. Give a multiple of 32, such as 288"),
        (Training, {"val_share": 0.5}, "val_share is 0.5. It takes from 0 to below 0.5"),
        (Training, {"lr": 0.0}, "lr is 0. It takes above 0"),
        (Training, {"lr": float("nan")}, "lr is nan"),
        (Training, {"seed": -1}, "seed is -1"),
    ],
)
def test_what_is_beyond_its_limits_is_named(owner: type[Scenes | Training], given: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as raised:
        owner(**given)  # type: ignore[arg-type]
    assert message in str(raised.value) and raised.value.argument == next(iter(given))


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_says_all_that_is_not_typed(preset: str) -> None:
    made = Training(preset=preset).resolved()  # type: ignore[arg-type]
    usual = PRESETS[preset]
    shared = {field.name for field in fields(usual)} & set(declared(Training))
    assert shared == {"init", "arch", "side", "epochs", "batch_size", "lr"}
    assert {name: getattr(made, name) for name in shared} == {name: getattr(usual, name) for name in shared}
    assert made.resolved() == made, "what is resolved stays so"


def test_what_is_typed_wins_and_a_network_by_name_starts_from_scratch() -> None:
    made = Training(epochs=3, lr=0.5).resolved()
    assert (made.epochs, made.lr, made.init, made.batch_size) == (3, 0.5, "imagenet", 8)
    assert Training(arch="resnet34").resolved().init == "none", "weights would bring a network of their own"
    assert Training(arch="resnet34", init="imagenet").resolved().init == "imagenet"


@pytest.mark.parametrize("preset", PRESETS)
def test_the_help_names_the_values_of_the_presets(preset: str) -> None:
    usual, settings = PRESETS[preset], declared(Training)
    for name in ("init", "arch", "side", "epochs", "batch_size", "lr"):
        assert f"{preset}: {getattr(usual, name)}" in settings[name].usually
