from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from repr.evaluation.statistics import interval
from repr.records import from_json, to_json

ROOT = Path(__file__).parents[2]
RUN = "rpc_transfer run --root {data}/shop --novel 2"


@pytest.fixture
def ladder(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "tools" / "experiments")
    return importlib.import_module("ladder")


def stored(*experiments: Sequence[dict[str, Any]]) -> list[Any]:
    """Experiments with these steps, as they are read from files."""
    kind = importlib.import_module("stored").Experiment
    experiment = {"experiment": "toy", "title": "Toy", "written": "today", "environment": {}}
    return [from_json(kind, {**experiment, "steps": steps}) for steps in experiments]


def trained(name: str, method: str, **more: Any) -> dict[str, Any]:
    made = {"init": "imagenet", "method": method, "source": "goods", "views": "product", "epochs": 4, "size": 96, "batch_size": 64}
    return {"step": name, "run": "repr pretrain", "trained": {**made, "lr": 0.04, "projector": None, "metrics": {}, **more}}


def mixed(name: str, onto: str, second: str, alpha: float) -> dict[str, Any]:
    return {"step": name, "run": f"repr weights mix {onto} {{out}}/{second} --alpha {alpha}"}


def run(name: str, rows: list[dict[str, Any]], command: str = RUN) -> dict[str, Any]:
    document = {"command": "rpc_transfer run", "data": "shop", "synthetic": False, "rows": rows}
    return {"step": name, "run": command, "found": document}


def row(weights: str, learner: str, novel: list[float], features: str = "as given", *, error: str = "", **more: Any) -> dict[str, Any]:
    values = {"acc_all": [value / 2 for value in novel], "acc_novel": novel}
    metrics = {} if error else {name: to_json(interval(of)) for name, of in values.items()}
    config = {"weights": weights, "learner": learner, "features": features, "size": 160, "crops": [1.0], "shots": 10, "test_on": "test"}
    trials = [{"seed": seed, "split": "", "file": ""} for seed in range(len(novel))]
    return {"config": {**config, **more}, "metrics": metrics, "trials": trials, "error": error}


def of_all_learners(weights: str, *novel: float, **more: Any) -> list[dict[str, Any]]:
    return [row(weights, learner, list(novel), **more) for learner in ("ncm", "linear", "lda-root")]


def test_frozen_encoders_are_set_against_imagenet_of_their_own_step(ladder: ModuleType) -> None:
    steps = [
        trained("w", "simclr"),
        trained("v", "joint", projector=128, lr=None),
        mixed("half", "imagenet", "w", 0.5),
        mixed("soup", "{out}/half", "v", 0.25),
        run("one", [*of_all_learners("imagenet", 0.5, 0.6), *of_all_learners("half", 0.6, 0.8)]),
        run("two", [*of_all_learners("imagenet", 0.7, 0.8), *of_all_learners("soup", 0.9, 1.0)]),
        run("worse", [*of_all_learners("imagenet", 0.5, 0.5), *of_all_learners("w", 0.1, 0.1)]),
    ]
    crops = [*of_all_learners("imagenet", 0.8, 0.8, crops=[1, 0.5]), *of_all_learners("half", 0.9, 0.9, crops=[1, 0.5])]
    steps.append(run("crops", crops))
    header, _, *lines = ladder.from_imagenet(stored(steps), "shop")
    assert header.startswith("| tested at | method | source | views | epochs | px | rate | alpha | class means |")
    known = [line.strip("| ").split(" | ")[:9] for line in lines]
    own, goods = ["ImageNet as it is", *["–"] * 6], ["goods", "product", "4", "96"]
    assert known == [
        ["160 px", *own, "27.5 / 55.0"],
        ["160 px", "simclr + joint, projector", *goods, "0.04 + –", "0.5 + 1", "+10.0 ± 0.0 / +20.0 ± 0.0"],  # not those of step one
        ["160 px", "simclr", *goods, "0.04", "0.5", "+7.5 ± 31.8 / +15.0 ± 63.5"],
        ["160 px", "simclr", *goods, "0.04", "1", "−20.0 ± 0.0 / −40.0 ± 0.0"],
        ["160 px, two crops", *own, "40.0 / 80.0"],
        ["160 px, two crops", "simclr", *goods, "0.04", "0.5", "+5.0 ± 0.0 / +10.0 ± 0.0"],
    ]


def test_what_no_test_or_other_shots_gave_is_left_out_and_a_repetition_adds_no_line(ladder: ModuleType) -> None:
    def rows(**more: Any) -> list[dict[str, Any]]:
        return [*of_all_learners("imagenet", 0.5, 0.5, **more), *of_all_learners("w", 0.6, 0.6, **more)]

    kinds: list[dict[str, Any]] = [{}, {}, {"test_on": "validation"}, {"shots": 5}, {"error": "too few"}, {"features": "base-trained"}]
    steps = [run(str(i), rows(**kind)) for i, kind in enumerate(kinds)]
    steps.append(run("elsewhere", rows(size=64), RUN.replace("shop", "other")))
    assert len(ladder.from_imagenet(stored([trained("w", "simclr"), *steps]), "shop")) == 2 + 2
    for kind in kinds[2:]:  # alone, none of them gives a line
        alone = stored([trained("w", "simclr"), run("alone", rows(**kind))])
        assert len(ladder.from_imagenet(alone, "shop")) == 2, kind


def test_weights_are_those_of_their_own_experiment(ladder: ModuleType) -> None:
    rows = [*of_all_learners("imagenet", 0.5, 0.5), *of_all_learners("w", 0.6, 0.6)]
    own, other = [trained("w", "byol"), run("t", rows)], [trained("w", "moco")]
    for experiments in ((own, other), (other, own)):
        assert ladder.from_imagenet(stored(*experiments), "shop")[-1].startswith("| 160 px | byol |")


def test_starts_from_scratch_stand_in_the_order_of_fine_tuning(ladder: ModuleType) -> None:
    steps = [trained("w", "supervised", init="none"), trained("i", "simclr")]
    rows = [row("none", "finetune", [0.4, 0.4], "trained"), row("w", "finetune", [0.6, 0.6], "trained"), row("w", "lda", [0.5, 0.5])]
    rows.append(row("i", "finetune", [0.9, 0.9], "trained"))  # not from scratch
    header, _, *lines = ladder.from_scratch(stored([*steps, run("t", rows)]), "shop")
    assert header.count("|") == 6 + 7 + 1
    assert lines == [
        "| supervised | goods | product | 4 | 64 | 96 | 30.0 / 60.0 | – | – | – | 25.0 / 50.0 | – | – |",
        "| none: the shop alone | – | – | – | – | – | 20.0 / 40.0 | – | – | – | – | – | – |",
    ]


def test_the_docs_hold_what_is_printed(ladder: ModuleType) -> None:
    printed = CliRunner().invoke(ladder.main, [], catch_exceptions=False).output
    assert printed.count("\n| ") > 40
    assert printed.strip() in (ROOT / "docs" / "ladder.md").read_text(encoding="utf-8"), "print it anew: tools/experiments/ladder.py"
