from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from repr.errors import UserError

TOOLS = Path(__file__).parents[2] / "tools" / "experiments"
# Stands in for `repr` and `rpc_transfer`: notes that it ran, fails when told to, and leaves a finished transfer behind.
PROGRAM = """#!/bin/sh
echo "$@" >> "$(dirname "$0")/ran"
case "$*" in *--crash*) exit 3;; esac
for out; do :; done
mkdir -p "$out"
score=$(echo "$*" | sed -n 's/.*--lr \\([0-9.]*\\).*/\\1/p')
case "$*" in *--tie*) score=0.5;; esac
case "$*" in *--on-tests*) on=test;; *) on=validation;; esac
row='{"config": {"learner": "ncm", "weights": "none", "features": "as given", "size": 64, "shots": 10, "test_on": "'$on'"}, "metrics": {'
score=${score:-0.5}
for name in acc_base acc_novel harmonic_mean; do
    row="$row\\"$name\\": {\\"mean\\": $score, \\"ci95\\": null, \\"values\\": [$score]}, "
done
row="$row\\"acc_all\\": {\\"mean\\": 0.5, \\"ci95\\": null, \\"values\\": [0.5]}}, "
row="$row\\"trials\\": [{\\"seed\\": 0, \\"split\\": \\"\\", \\"file\\": \\"\\"}]}"
head='"schema": 1, "command": "rpc_transfer run", "data": "toy", "synthetic": false'
echo "{$head, \\"rows\\": [$row]}" > "$out/results.json"
echo '{"version": 1, "command": "rpc_transfer run", "status": "done", "data": "toy", "result": {}}' > "$out/config.json"
split='{"format": "rpc_transfer split", "version": 1, "about": "", "data": "toy", "split_seed": 0, "shots": 10, "base_shots": null, '
split="$split"'"shots_from": "train", "test_on": "test", "unknown": [], "products": {}, "notes": ["'"$*"'"]'
for part in base novel increments support tests; do
    case "$*" in *--other-$part*) seed=1;; *) seed=0;; esac
    case $part in
        increments) value="[[\\"$seed\\"]]";;
        support) value="[{\\"seed\\": $seed, \\"images\\": {}}]";;
        tests) value="[{\\"seeds\\": [$seed], \\"images\\": {}}]";;
        *) value="[\\"$seed\\"]";;
    esac
    split="$split, \\"$part\\": $value"
done
echo "$split}" > "$out/split.json"
"""


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"experiments_{name}", TOOLS / f"{name}.py")
    assert spec and spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    run = module("run")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "rpc_transfer").write_text(PROGRAM)
    (tmp_path / "bin" / "rpc_transfer").chmod(0o755)
    monkeypatch.setattr(run, "BIN", tmp_path / "bin")

    def experiment(*steps: dict[str, Any], only: str | None = None, **more: Any) -> dict[str, Any]:
        run.run_experiment({"title": "Toy", "steps": list(steps), **more}, "toy", tmp_path / "data", tmp_path / "out", tmp_path, only)
        content: dict[str, Any] = json.loads((tmp_path / "toy.json").read_text())
        content["ran"] = len((tmp_path / "bin" / "ran").read_text().splitlines())
        return content

    return experiment


def step(out: str, words: str = "", **more: Any) -> dict[str, Any]:
    return {"out": out, "run": f"rpc_transfer run --root {{data}}/toy {words}".strip(), **more}


def test_a_grid_is_judged_and_later_steps_take_its_best(go: Any) -> None:
    found = go(step("rate", "--lr {lr}", grid={"lr": [0.1, 0.3, 0.2]}), step("final", "--lr {best:rate}"))
    assert found["steps"][0]["chosen"] == 0.3 and found["steps"][0]["at_edge"]
    assert found["steps"][0]["run"] == "rpc_transfer run --root {data}/toy --lr {lr}"
    assert found["steps"][1]["rows"][0]["acc_novel"]["mean"] == 0.3
    assert found["ran"] == 4


def test_a_grid_is_widened_without_the_weights_of_its_first_values(go: Any, tmp_path: Path) -> None:
    def steps(rates: list[float], trained: str = "", judged: str = "") -> list[dict[str, Any]]:
        return [
            step("w-{lr}", trained, each={"lr": rates}),
            step("rate", f"{judged} --weights {{out}}/w-{{lr}} --lr {{lr}}", grid={"lr": rates}),
        ]

    assert go(*steps([0.1, 0.3]))["steps"][2]["at_edge"]
    shutil.rmtree(tmp_path / "out")
    wider = go(*steps([0.1, 0.2, 0.3]), only="w-0.2|rate")
    assert wider["ran"] == 4 + 2 and wider["steps"][-1]["tried"] == {"0.1": 0.1, "0.2": 0.2, "0.3": 0.3}
    found = (tmp_path / "toy.json").read_text()
    for i, other in enumerate(
        ({"trained": "--epochs 2"}, {"judged": "--seeds 2"})
    ):  # other weights, or judged otherwise, are measured anew
        shutil.rmtree(tmp_path / "out")
        (tmp_path / "toy.json").write_text(found)
        assert go(*steps([0.1, 0.2, 0.3], **other), only="rate")["ran"] == wider["ran"] + 3 * (i + 1)


def test_a_score_with_weights_of_another_experiment_is_measured_anew(go: Any, tmp_path: Path) -> None:
    rate = step("rate", "--weights {out}/theirs --lr {lr}", grid={"lr": [0.1]})
    assert go(rate)["ran"] == 1
    shutil.rmtree(tmp_path / "out")
    assert go(rate)["ran"] == 2


def test_a_grid_is_not_judged_on_tests_and_takes_the_smaller_of_equals(go: Any) -> None:
    found = go(step("rate", "--tie --lr {lr}", grid={"lr": [0.3, 0.1, 0.2]}))
    assert found["steps"][0]["chosen"] == 0.1
    with pytest.raises(AssertionError, match="judged on training images"):
        go(step("tests", "--on-tests --lr {lr}", grid={"lr": [0.1]}))


def test_each_stands_for_one_step_a_combination(go: Any) -> None:
    rate = step("rate", "--lr {lr}", grid={"lr": [0.1, 0.3]})
    found = go(
        rate, step("{a}-{b}", "--a {a} --b {b} --lr {best:rate}", each={"a": ["x", "y"], "b": [1, 2]}), step("x-2-again", "--b {out}")
    )
    assert [s["step"] for s in found["steps"]] == ["rate", "x-1", "x-2", "y-1", "y-2", "x-2-again"]
    assert found["steps"][2]["run"] == "rpc_transfer run --root {data}/toy --a x --b 2 --lr 0.3"


def test_arms_go_through_the_same_steps_each_with_its_own_words_and_lists(go: Any) -> None:
    arms = [{"arm": "x", "flags": "--a", "rates": [0.1, 0.3]}, {"arm": "y", "flags": "--b", "rates": [0.2]}]
    steps = [
        step("shared"),
        step("{arm}-{n}", "{flags} --n {n}", each={"n": "rates"}),
        step("{arm}-rate", "{flags} --lr {lr}", grid={"lr": "rates"}),
        step("{arm}", "--lr {best:{arm}-rate}"),
    ]
    found = go(*steps, arms=arms)
    assert [s["step"] for s in found["steps"]] == ["shared", "x-0.1", "x-0.3", "x-rate", "x", "y-0.2", "y-rate", "y"]
    commands = [s["run"].removeprefix("rpc_transfer run --root {data}/toy ") for s in found["steps"] if "run" in s]
    assert commands[1:] == ["--a --n 0.1", "--a --n 0.3", "--a --lr {lr}", "--lr 0.3", "--b --n 0.2", "--b --lr {lr}", "--lr 0.2"]
    assert found["ran"] == 1 + 3 + 3 + 2


def test_what_is_done_is_not_repeated_and_never_taken_for_another_command(go: Any) -> None:
    go(step("a"))
    assert go(step("a"))["ran"] == 1
    with pytest.raises(UserError, match="made by another command"):
        go(step("a", "--lr 0.3"))


def test_a_step_that_fails_is_noted_and_the_others_go_on(go: Any) -> None:
    needs = [step("c", "--crash --lr {lr}", grid={"lr": [0.1]}), step("d", "--lr {best:c}")]
    reasons = [found.get("error", "") for found in go(*needs, step("e"))["steps"]]
    assert reasons == ["exit code 3", "nothing is known of best:c", ""]
    found = go(step("a", "--crash"), step("b"))
    assert "error" in found["steps"][0] and "rows" in found["steps"][1]
    lines = "\n".join(module("table").markdown(found))
    assert "Not run: a, exit code 3." in lines and "| ncm | none |" in lines


def test_what_was_found_stands_where_its_repeat_fails(go: Any, tmp_path: Path) -> None:
    (before,) = go(step("a"))["steps"]
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "bin" / "rpc_transfer").write_text("#!/bin/sh\nexit 4\n")
    found = go(step("a"))
    assert found["steps"] == [{**before, "error": "exit code 4"}]
    lines = "\n".join(module("table").markdown(found))
    assert "Not run anew: a, exit code 4." in lines and "| ncm | none |" in lines


def test_an_experiment_may_be_measured_in_several_sittings(go: Any, tmp_path: Path) -> None:
    steps = [step("rate", "--lr {lr}", grid={"lr": [0.1, 0.3]}), step("one", "--lr 0.2"), step("two", "--lr {best:rate}")]
    asked = {"compare": [{"steps": ["two"], "against": "one"}]}
    first = go(*steps, only="rate|one", **asked)
    assert [found["step"] for found in first["steps"]] == ["rate", "one"] and first["compared"] == []
    shutil.rmtree(tmp_path / "out")
    second = go(*steps, only="two", **asked)
    assert [found["step"] for found in second["steps"]] == ["rate", "one", "two"] and second["steps"][:2] == first["steps"]
    assert second["steps"][2]["run"].endswith("--lr 0.3") and second["ran"] == first["ran"] + 1
    assert len(second["compared"]) == 3  # though the runs of the first are gone
    whole = json.loads((tmp_path / "toy.json").read_text())
    del whole["steps"][1]["split"]  # as what was found before splits were stored
    (tmp_path / "toy.json").write_text(json.dumps(whole))
    assert go(*steps, only="two", **asked)["compared"] == second["compared"]


@pytest.mark.parametrize(("only", "told"), [("(", "is no regular expression"), ("absent", "no step whose name holds absent")])
def test_steps_that_are_not_there_are_told_and_nothing_is_written(go: Any, tmp_path: Path, only: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        go(step("a"), only=only)
    assert not (tmp_path / "toy.json").exists()


@pytest.mark.parametrize("file", sorted((TOOLS / "results").glob("*.json")), ids=lambda file: file.stem)
def test_what_is_stored_becomes_a_table(file: Path) -> None:
    found = json.loads(file.read_text(encoding="utf-8"))
    lines = module("table").markdown(found)
    assert found["title"] in lines[0] and sum(line.startswith("| ") for line in lines) >= 3


def test_a_mix_of_mixes_names_both() -> None:
    def trained(method: str) -> dict[str, Any]:
        made = {"init": "imagenet", "method": method, "source": "shop", "views": "product", "epochs": 4, "size": 96}
        return {"step": method, "trained": made}

    def mixed(name: str, first: str, second: str, alpha: float) -> dict[str, Any]:
        return {"step": name, "run": f"repr weights mix {first} {{out}}/{second} --alpha {alpha}"}

    steps = [trained("simclr"), trained("vicreg"), mixed("a", "imagenet", "simclr", 0.5), mixed("b", "imagenet", "vicreg", 0.25)]
    starts = {step["step"]: step for step in [*steps, mixed("both", "{out}/a", "b", 0.75)]}
    assert module("table")._start("b", starts) == ["imagenet", "vicreg, 0.25 of it mixed in", "shop", "product", "4", "96"]
    both = "0.75 of (vicreg, 0.25 of it mixed in) in (simclr, 0.5 of it mixed in)"
    assert module("table")._start("both", starts) == ["imagenet", both, "shop", "product", "4", "96"]


def test_rows_of_one_step_are_set_against_another_on_the_same_splits(go: Any) -> None:
    asked = [{"steps": ["high", "absent"], "against": "low", "learner": "ncm"}]
    found = go(step("low", "--lr 0.25"), step("high", "--lr 0.75"), compare=asked)
    assert [(test["step"], test["against"], test["metric"], test["difference"]) for test in found["compared"]] == [
        ("high", "low, ncm", metric, lead) for metric, lead in (("acc_all", 0.0), ("acc_base", 0.5), ("acc_novel", 0.5))
    ]
    table = "\n".join(module("table").markdown(found))
    assert "| ncm | none | – | as given | high | low, ncm | +0.0 | +50.0 | +50.0 |" in table


def test_rows_of_another_experiment_are_set_against_one_of_this(go: Any, tmp_path: Path) -> None:
    go(step("high", "--lr 0.75"))
    (tmp_path / "toy.json").rename(tmp_path / "other.json")
    found = go(step("low", "--lr 0.25"), compare=[{"steps": ["high"], "against": "low"}])
    assert [test["difference"] for test in found["compared"]] == [0.0, 0.5, 0.5] and [s["step"] for s in found["steps"]] == ["low"]


@pytest.mark.parametrize("part", ["base", "novel", "increments", "support", "tests"])
def test_other_splits_are_not_compared(go: Any, part: str) -> None:
    found = go(step("low"), step("high", f"--other-{part}"), compare=[{"steps": ["high"], "against": "low"}])
    assert found["compared"] == []
