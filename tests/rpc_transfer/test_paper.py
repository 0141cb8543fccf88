"""The paper's preset: what it fixes, and what it says of a run that is not the paper's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from repr.catalog.table import Catalog
from repr.errors import UserError
from repr.settings import declared
from rpc_transfer.draw import make_split
from rpc_transfer.paper import departures, fixed, training
from rpc_transfer.settings import Settings
from rpc_transfer.weights import InitialWeights

RPC_SUPERCATEGORIES = [11] * 4 + [12] * 13
WEIGHTS = [InitialWeights("none", None, 64, "resnet18"), InitialWeights("runs/w", None, 80, "resnet50")]


def test_it_fixes_what_the_paper_states(capsys: pytest.CaptureFixture[str]) -> None:
    values = {name: one.default for name, one in declared(Settings).items()} | {"novel": 34, "seeds": 2}
    made = fixed(values)
    assert (made["novel"], made["shots"], made["learner"], made["test_on"], made["seeds"]) == (34, (10,), ("finetune",), "validation", 2)
    said = capsys.readouterr().err
    assert (
        "two SKUs of each" in said and "10 random images for each class\n  of each base class too" in said and "seeds: 2, as given" in said
    )
    assert fixed({**values, "increments": "34"})["increments"] == "34"
    assert fixed({**values, "split": "split.json", "test_on": "test"})["test_on"] == "test"  # whatever the file says
    assert fixed({**values, "base_shots": 10})["base_shots"] is None
    for name, value in (("novel", 20), ("shots", (5,)), ("base_shots", 20), ("learner", ("ncm",)), ("increments", "17x2")):
        with pytest.raises(UserError, match="the paper says otherwise") as refused:
            fixed({**values, name: value})
        assert refused.value.argument == name


def test_the_values_in_force_and_the_departures_are_named(shop: Callable[..., Catalog]) -> None:
    split = make_split(shop(RPC_SUPERCATEGORIES), novel=34, shots=10, seeds=[0], test_on="validation")
    settings = Settings(novel=34, shots=(10,), lr=0.1)
    lines = "\n".join(training(settings, split, WEIGHTS))
    assert (
        "runs/w: resnet50 at 80 px" in lines
        and "rate: 0.1, as given" in lines
        and "batch: 64, ours" in lines
        and "views: supervised, ours" in lines
    )
    assert "about 300 in the base step, then 300" in lines
    assert departures(settings, split, WEIGHTS) == []
    other = make_split(shop([4, 4]), novel=2, shots=10, seeds=[0], test_on="validation", unknown=1)
    lite = InitialWeights("imagenet", None, 160, "tf_efficientnet_lite0")
    assert departures(settings, split, [*WEIGHTS, lite]) == []  # shown beside every run
    differences = departures(replace(settings, only_weights=True, weights=("imagenet",)), other, [lite])
    assert [words.split()[0] for words in differences] == ["8", "1", "1", "no", "imagenet"]
    (all_base,) = departures(settings, replace(split, base_shots="all"), WEIGHTS)
    assert all_base == "all images of each base product, not 10"
    stranger = next(key for key in split.base if split.supercategories[key] != split.supercategories[split.novel[0]])
    uneven = replace(split, novel=(stranger, *split.novel[1:]))
    assert "novel products in each of" in departures(settings, uneven, WEIGHTS)[0]
