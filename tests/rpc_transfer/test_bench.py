"""Where trials are computed: their order shares work, and their keys are of all that the numbers depend on, and of nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from repr.catalog.table import Catalog
from repr.models.weights import fresh
from rpc_transfer.bench import Bench
from rpc_transfer.configs import TransferConfig, list_configs
from rpc_transfer.draw import make_split
from rpc_transfer.settings import Settings
from rpc_transfer.weights import InitialWeights

SETTINGS = Settings(novel=2, shots=(2,), learner=("ncm", "linear"), device="cpu", workers=0, epochs=1)
MINE = InitialWeights("mine", fresh("resnet18", 16, 0), 16, "resnet18")
OTHER = InitialWeights("other", fresh("resnet18", 16, 1), 16, "resnet18")
LOST = InitialWeights("lost", None, 16, "resnet18", "not installed")


@pytest.fixture(scope="module")
def catalog(shop: Callable[..., Catalog], tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    root = tmp_path_factory.mktemp("shop")
    made: Catalog = shop([3, 3], train=4, test=2, root=root)
    rng = np.random.default_rng(0)
    for path in made.column("path"):
        (root / path).parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (40, 80, 3), dtype=np.uint8)).save(root / path)
    return made


def bench(catalog: Catalog, settings: Settings = SETTINGS, **split: Any) -> Bench:
    drawn = {"novel": 2, "shots": 2, "seeds": [0, 1], **split}
    return Bench(settings, catalog, make_split(catalog, **drawn), torch.device("cpu"))


def keys(made: Bench, *configs: TransferConfig) -> list[str]:
    return [one.key for one in made.wanted(configs)]


CONFIG = TransferConfig(MINE, "ncm", "as given", 2)


def test_trials_that_share_features_stand_together(catalog: Catalog) -> None:
    configs = [TransferConfig(one, name, "as given", 2) for name in ("ncm", "linear") for one in (MINE, OTHER)]
    wanted = bench(catalog).wanted(configs)
    order = [(configs[one.row].weights.name, one.seed) for one in wanted]
    assert order == [(name, seed) for name in ("mine", "other") for seed in (0, 1) for _ in range(2)]
    assert len({one.key for one in wanted}) == len({one.file for one in wanted}) == 8


def test_rows_whose_weights_are_lost_want_no_trial(catalog: Catalog) -> None:
    configs = [CONFIG, replace(CONFIG, weights=LOST)]
    assert {one.row for one in bench(catalog).wanted(configs)} == {0}


def test_labels_and_files_are_for_people(catalog: Catalog) -> None:
    first, second = bench(catalog).wanted([replace(CONFIG, learner="lda:shrinkage=0.5")])
    assert first.label == "mine, 2 shots, seed 0, lda:shrinkage=0.5" and first.file.startswith("lda-")
    assert first.split != second.split, "seeds differ in their shots"


@pytest.mark.parametrize(
    "changed",
    [
        replace(CONFIG, learner="linear"),
        replace(CONFIG, learner="lda"),
        replace(CONFIG, weights=OTHER),
        replace(CONFIG, weights=replace(MINE, crops=(1.0, 0.5))),
        replace(CONFIG, weights=replace(MINE, size=32)),
        replace(CONFIG, features="base-trained"),
        replace(CONFIG, shots=1),
    ],
)
def test_another_config_has_other_keys(catalog: Catalog, changed: TransferConfig) -> None:
    made = bench(catalog)
    assert not set(keys(made, CONFIG)) & set(keys(made, changed))


@pytest.mark.parametrize(
    "changes", [{"split_seed": 1}, {"unknown": 1}, {"increments": "2x1"}, {"test_on": "validation"}, {"base_shots": 1}]
)
def test_another_split_has_other_keys(catalog: Catalog, changes: dict[str, Any]) -> None:
    assert not set(keys(bench(catalog), CONFIG)) & set(keys(bench(catalog, **changes), CONFIG))


def test_what_the_numbers_do_not_depend_on_leaves_the_key(catalog: Catalog) -> None:
    """Names of weights, the machine, rows beside it, and settings of training where nothing is trained."""
    same = keys(bench(catalog), CONFIG)
    assert keys(bench(catalog), replace(CONFIG, weights=replace(MINE, name="renamed"))) == same
    assert keys(bench(catalog, replace(SETTINGS, workers=1)), CONFIG) == same
    assert keys(bench(catalog, replace(SETTINGS, lr=0.5)), CONFIG) == same
    trained = replace(CONFIG, features="base-trained")
    assert keys(bench(catalog), trained) != keys(bench(catalog, replace(SETTINGS, lr=0.5)), trained)


def test_random_weights_are_never_mixed(catalog: Catalog) -> None:
    made = bench(catalog, replace(SETTINGS, base_alpha=0.25, features="both"))
    assert made.alpha(MINE) == 0.25 and made.alpha(InitialWeights("none", None, 16, "resnet18")) == 1.0


def test_a_trial_is_the_same_alone_and_after_others(catalog: Catalog) -> None:
    made = bench(catalog)
    alone = made.compute(CONFIG, 1)
    again = bench(catalog)
    for config in list_configs(SETTINGS, [MINE]):
        again.compute(config, 0)
    after = again.compute(CONFIG, 1)
    times = ("seconds", "memory_mb")
    assert {name: value for name, value in alone.metrics.items() if name not in times and value == value} == {
        name: value for name, value in after.metrics.items() if name not in times and value == value
    }
    for name, values in alone.arrays.items():
        np.testing.assert_array_equal(values, after.arrays[name])
