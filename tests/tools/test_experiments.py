"""The experiments' own tools: steps and grids, what is stored, and the tables that it becomes."""

from __future__ import annotations

import importlib
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from repr.errors import UserError
from repr.evaluation.statistics import interval
from repr.experiments.document import Comparison
from repr.experiments.summary import paired_rows
from repr.records import from_json

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
case "$*" in *--other-split*) split=other;; *) split=same;; esac
row='{"config": {"learner": "ncm", "weights": "none", "features": "as given", "size": 64, "crops": [1.0], "shots": 10, "test_on": "'$on'"}'
row="$row, \\"metrics\\": {"
score=${score:-0.5}
for name in acc_base acc_novel harmonic_mean supercategory/Milk; do
    row="$row\\"$name\\": {\\"mean\\": $score, \\"ci95\\": null, \\"values\\": [$score]}, "
done
row="$row\\"acc_all\\": {\\"mean\\": 0.5, \\"ci95\\": null, \\"values\\": [0.5]}}, "
row="$row\\"trials\\": [{\\"seed\\": 0, \\"split\\": \\"$split\\", \\"file\\": \\"\\"}]}"
head='"schema": 1, "command": "rpc_transfer run", "data": "toy", "synthetic": false'
echo "{$head, \\"rows\\": [$row]}" > "$out/results.json"
echo '{"version": 2, "command": "rpc_transfer run", "status": "done", "data": "toy", "result": {}}' > "$out/config.json"
"""


@pytest.fixture(autouse=True)
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripts import each other by name."""
    monkeypatch.syspath_prepend(TOOLS)
    monkeypatch.delitem(sys.modules, "run", raising=False)


def module(name: str) -> ModuleType:
    return importlib.import_module(name)


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs steps as an experiment; what was then stored, and how often the program has run."""
    run = module("run")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "rpc_transfer").write_text(PROGRAM)
    (tmp_path / "bin" / "rpc_transfer").chmod(0o755)
    monkeypatch.setattr(run, "BIN", tmp_path / "bin")

    def experiment(*steps: dict[str, Any], only: str | None = None, jobs: int = 1, **more: Any) -> Any:
        run_plan = from_json(module("plan").Plan, {"title": "Toy", "steps": list(steps), **more})
        run.run_experiment(run_plan, "toy", tmp_path / "data", tmp_path / "out", tmp_path, only, jobs)
        return module("stored").read(tmp_path / "toy.json")

    return experiment


@pytest.fixture
def ran(tmp_path: Path) -> Any:
    """How often the program has run so far."""
    return lambda: len((tmp_path / "bin" / "ran").read_text().splitlines())


def step(out: str, words: str = "", **more: Any) -> dict[str, Any]:
    return {"out": out, "run": f"rpc_transfer run --root {{data}}/toy {words}".strip(), **more}


def novel(step: Any) -> float:
    mean: float = step.found.rows[0].metrics["acc_novel"].mean
    return mean


def test_a_grid_is_judged_and_later_steps_take_its_best(go: Any, ran: Any) -> None:
    rate, final = go(step("rate", "--lr {lr}", grid={"lr": [0.1, 0.3, 0.2]}), step("final", "--lr {best:rate}")).steps
    assert rate.grid.chosen == 0.3 and rate.grid.at_edge and [tried.value for tried in rate.grid.tried] == ["0.1", "0.3", "0.2"]
    assert rate.run == "rpc_transfer run --root {data}/toy --lr {lr}"
    assert novel(final) == 0.3 and final.run.endswith("--lr 0.3") and ran() == 4


def test_what_is_stored_of_a_transfer(go: Any) -> None:
    (one,) = go(step("one", "--weights {out}/w")).steps
    assert set(one.found.rows[0].metrics) == {"acc_all", "acc_base", "acc_novel", "harmonic_mean"}  # no group
    assert one.found.seeds == (0,) and one.found.rows[0].trials[0].split == "same" and one.run.endswith("--weights {out}/w")


def test_a_grid_is_widened_without_the_weights_of_its_first_values(go: Any, ran: Any, tmp_path: Path) -> None:
    def steps(rates: list[float], trained: str = "", judged: str = "") -> list[dict[str, Any]]:
        return [
            step("w-{lr}", trained, each={"lr": rates}),
            step("rate", f"{judged} --weights {{out}}/w-{{lr}} --lr {{lr}}", grid={"lr": rates}),
        ]

    assert go(*steps([0.1, 0.3])).steps[2].grid.at_edge
    shutil.rmtree(tmp_path / "out")
    wider = go(*steps([0.1, 0.2, 0.3]), only="w-0.2|rate")
    assert ran() == 4 + 2 and {tried.value: tried.score for tried in wider.steps[-1].grid.tried} == {"0.1": 0.1, "0.2": 0.2, "0.3": 0.3}
    stored_text = (tmp_path / "toy.json").read_text()
    for i, other in enumerate(({"trained": "--epochs 2"}, {"judged": "--seeds 2"})):  # other weights, or judged otherwise
        shutil.rmtree(tmp_path / "out")
        (tmp_path / "toy.json").write_text(stored_text)
        go(*steps([0.1, 0.2, 0.3], **other), only="rate")
        assert ran() == 6 + 3 * (i + 1)  # is measured anew


def test_a_score_with_weights_of_another_experiment_is_measured_anew(go: Any, ran: Any, tmp_path: Path) -> None:
    rate = step("rate", "--weights {out}/theirs --lr {lr}", grid={"lr": [0.1]})
    assert go(rate).steps[0].grid.tried[0].key == "" and ran() == 1
    shutil.rmtree(tmp_path / "out")
    go(rate)
    assert ran() == 2


def test_a_grid_is_not_judged_on_tests_and_takes_the_smaller_of_equals(go: Any) -> None:
    assert go(step("rate", "--tie --lr {lr}", grid={"lr": [0.3, 0.1, 0.2]})).steps[0].grid.chosen == 0.1
    with pytest.raises(AssertionError, match="judged on training images"):
        go(step("tests", "--on-tests --lr {lr}", grid={"lr": [0.1]}))


def test_each_stands_for_one_step_a_combination(go: Any) -> None:
    rate = step("rate", "--lr {lr}", grid={"lr": [0.1, 0.3]})
    each = step("{a}-{b}", "--a {a} --b {b} --lr {best:rate}", each={"a": ["x", "y"], "b": [1, 2]})
    steps = go(rate, each, step("x-2-again", "--b {out}")).steps
    assert [s.step for s in steps] == ["rate", "x-1", "x-2", "y-1", "y-2", "x-2-again"]
    assert steps[2].run == "rpc_transfer run --root {data}/toy --a x --b 2 --lr 0.3"


def test_arms_go_through_the_same_steps_each_with_its_own_words_and_lists(go: Any, ran: Any) -> None:
    arms = [{"arm": "x", "flags": "--a", "rates": [0.1, 0.3]}, {"arm": "y", "flags": "--b", "rates": [0.2]}]
    steps = [
        step("shared"),
        step("{arm}-{n}", "{flags} --n {n}", each={"n": "rates"}),
        step("{arm}-rate", "{flags} --lr {lr}", grid={"lr": "rates"}),
        step("{arm}", "--lr {best:{arm}-rate}"),
    ]
    done = go(*steps, arms=arms).steps
    assert [s.step for s in done] == ["shared", "x-0.1", "x-0.3", "x-rate", "x", "y-0.2", "y-rate", "y"]
    commands = [s.run.removeprefix("rpc_transfer run --root {data}/toy ") for s in done]
    assert commands[1:] == ["--a --n 0.1", "--a --n 0.3", "--a --lr {lr}", "--lr 0.3", "--b --n 0.2", "--b --lr {lr}", "--lr 0.2"]
    assert ran() == 1 + 3 + 3 + 2


def test_arms_side_by_side_find_what_they_find_one_after_the_other(go: Any, ran: Any, tmp_path: Path) -> None:
    arms = [{"arm": name, "rates": [0.1, float(n)]} for n, name in enumerate("xyz", 1)]
    steps = [
        step("shared", "--lr {lr}", grid={"lr": [0.1, 0.2]}),
        step("{arm}-rate", "--lr {lr} --after {best:shared}", grid={"lr": "rates"}),
        step("{arm}", "--weights {out}/{arm}-rate-0.1 --lr {best:{arm}-rate}"),
    ]
    side_by_side = go(*steps, arms=arms, jobs=4).steps
    (tmp_path / "toy.json").unlink()
    assert ran() == 2 + 3 * (2 + 1) and side_by_side == go(*steps, arms=arms).steps


def test_a_step_that_ends_in_an_error_leaves_none_waiting(go: Any, tmp_path: Path) -> None:
    go(step("shared"))
    with pytest.raises(UserError, match="was made by another command"):
        go(step("shared", "--other"), step("{arm}", "--weights {out}/shared"), arms=[{"arm": "x"}, {"arm": "y"}], jobs=3)


def test_what_is_done_is_not_repeated_and_never_taken_for_another_command(go: Any, ran: Any) -> None:
    go(step("a"))
    go(step("a"))
    assert ran() == 1
    with pytest.raises(UserError, match="made by another command"):
        go(step("a", "--lr 0.3"))


def test_a_step_that_fails_is_noted_and_the_others_go_on(go: Any) -> None:
    needs = [step("c", "--crash --lr {lr}", grid={"lr": [0.1]}), step("d", "--lr {best:c}")]
    assert [one.error for one in go(*needs, step("e")).steps] == ["exit code 3", "nothing is known of best:c", ""]
    experiment = go(step("a", "--crash"), step("b"))
    assert experiment.steps[0].error and experiment.steps[1].found is not None
    lines = "\n".join(module("table").markdown(experiment))
    assert "Not run: a, exit code 3." in lines and "| ncm | none |" in lines


def test_what_was_found_stands_where_its_repeat_fails(go: Any, tmp_path: Path) -> None:
    (before,) = go(step("a")).steps
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "bin" / "rpc_transfer").write_text("#!/bin/sh\nexit 4\n")
    experiment = go(step("a"))
    assert experiment.steps == (replace(before, error="exit code 4"),)
    lines = "\n".join(module("table").markdown(experiment))
    assert "Not run anew: a, exit code 4." in lines and "| ncm | none |" in lines


def test_an_experiment_may_be_measured_in_several_sittings(go: Any, ran: Any, tmp_path: Path) -> None:
    steps = [step("rate", "--lr {lr}", grid={"lr": [0.1, 0.3]}), step("one", "--lr 0.2"), step("two", "--lr {best:rate}")]
    comparisons = {"compare": [{"steps": ["two"], "against": "one"}]}
    first = go(*steps, only="rate|one", **comparisons)
    assert [one.step for one in first.steps] == ["rate", "one"] and first.compared == () and ran() == 3
    shutil.rmtree(tmp_path / "out")
    second = go(*steps, only="two", **comparisons)
    assert [one.step for one in second.steps] == ["rate", "one", "two"] and second.steps[:2] == first.steps
    assert second.steps[2].run.endswith("--lr 0.3") and ran() == 3 + 1
    (row,) = second.compared  # though the runs of the first are gone
    assert [test.metric for test in row.tests] == ["acc_all", "acc_base", "acc_novel"]


@pytest.mark.parametrize(("only", "message"), [("(", "is no regular expression"), ("absent", "no step whose name holds absent")])
def test_steps_that_are_not_there_are_told_and_nothing_is_written(go: Any, tmp_path: Path, only: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        go(step("a"), only=only)
    assert not (tmp_path / "toy.json").exists()


@pytest.mark.parametrize("file", sorted((TOOLS / "results").glob("*.json")), ids=lambda file: file.stem)
def test_what_is_stored_becomes_a_table_and_is_written_as_it_was_read(file: Path, tmp_path: Path) -> None:
    stored = module("stored").read(file)
    lines = module("table").markdown(stored)
    assert stored.title in lines[0]
    if file.stem != "checkout":  # whose rows are of another kind: checkout_table.py prints them
        assert sum(line.startswith("| ") for line in lines) >= 3
    module("stored").write(tmp_path / "again.json", stored)
    assert (tmp_path / "again.json").read_text(encoding="utf-8") == file.read_text(encoding="utf-8")


@pytest.mark.parametrize("file", sorted((TOOLS / "results").glob("*.json")), ids=lambda file: file.stem)
def test_stored_intervals_and_tests_follow_from_the_stored_values(file: Path) -> None:
    for one in module("stored").read(file).steps:
        for row in one.found.rows if one.found else ():
            for metric in row.metrics.values():
                made = interval(list(metric.values), redrawn=row.redrawn)
                assert made is None or (made.mean, made.ci95) == (pytest.approx(metric.mean), pytest.approx(metric.ci95))
        for test in one.found.comparisons if one.found and one.found.command == "rpc_transfer run" else ():
            again = paired_rows(one.found.rows[test.a], one.found.rows[test.b], test.metric)
            assert again is not None and (again.difference, again.p, again.n) == (
                pytest.approx(test.difference),
                pytest.approx(test.p),
                test.n,
            )


@pytest.mark.parametrize("file", sorted(TOOLS.glob("*.toml")), ids=lambda file: file.stem)
def test_every_experiment_can_be_read(file: Path) -> None:
    commands = module("plan").read(file).commands()
    assert commands and all(command.run.split()[0] in ("repr", "rpc_transfer") for command in commands)
    unknown = {name for command in commands for name in re.findall(r"\{([^{}]+)\}", command.run)} - {"data", "out"}
    grids = {option for command in commands for option in command.grid}
    assert all(name in grids or name.startswith("best:") for name in unknown)


def test_a_field_that_no_experiment_has_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text('title = "X"\n[[steps]]\nout = "a"\nrun = "repr"\neech = {a = [1]}\n')
    with pytest.raises(UserError, match=r"steps\[0\].eech is not known"):
        module("plan").read(tmp_path / "x.toml")


def test_a_word_of_the_arms_that_a_grid_has_too_is_told(tmp_path: Path) -> None:
    text = (
        'title = "Toy"\narms = [{ arm = "x", lr = "3" }]\n[[steps]]\nout = "a"\nrun = "repr pretrain --lr {lr}"\ngrid = { lr = [1, 2] }\n'
    )
    (tmp_path / "toy.toml").write_text(text)
    with pytest.raises(UserError, match="lr of a is a word of the arms too"):
        module("plan").read(tmp_path / "toy.toml")


def test_a_grid_waits_for_the_weights_of_all_its_values() -> None:
    command = module("plan").Command(
        "rate", "rpc_transfer run --weights {out}/brief-{rate} --epochs {best:length}", grid={"rate": (0.1, 0.3)}
    )
    assert sorted(set(command.needs())) == ["brief-0.1", "brief-0.3", "length"]


def test_a_file_of_a_newer_schema_is_told(go: Any, tmp_path: Path) -> None:
    go(step("a"))
    file = tmp_path / "toy.json"
    file.write_text(re.sub(r'"schema": \d+', '"schema": 99', file.read_text()))
    with pytest.raises(UserError, match="newer version"):
        module("stored").read(file)


def test_a_mix_of_mixes_names_both() -> None:
    stored = module("stored")

    def trained(method: str) -> Any:
        made = stored.Trained("imagenet", method, "shop", "product", 4, 96, 64, 0.04, None, {})
        return stored.Step(method, "repr pretrain", trained=made)

    def mixed(name: str, first: str, second: str, alpha: float) -> Any:
        return stored.Step(name, f"repr weights mix {first} {{out}}/{second} --alpha {alpha}")

    steps = [trained("simclr"), trained("vicreg"), mixed("a", "imagenet", "simclr", 0.5), mixed("b", "imagenet", "vicreg", 0.25)]
    starts = {step.step: step for step in [*steps, mixed("both", "{out}/a", "b", 0.75)]}
    rows = [stored.Against("run", "low", "ncm", weights, "as given", leads(0.5)) for weights in ("b", "both")]
    lines = module("table").against(rows, starts)[-2:]
    assert lines[0].startswith("| ncm | imagenet | vicreg, 0.25 of it mixed in |")
    assert lines[1].startswith("| ncm | imagenet | 0.75 of (vicreg, 0.25 of it mixed in) in (simclr, 0.5 of it mixed in) |")


def leads(difference: float) -> tuple[Comparison, ...]:
    return tuple(Comparison(0, 0, "step", metric, difference, None, None, 1) for metric in ("acc_all", "acc_base", "acc_novel"))


def test_rows_of_one_step_are_set_against_another_on_the_same_splits(go: Any) -> None:
    comparisons = [{"steps": ["high", "absent"], "against": "low", "learner": "ncm"}]
    experiment = go(step("low", "--lr 0.25"), step("high", "--lr 0.75"), compare=comparisons)
    (row,) = experiment.compared
    assert (row.step, row.against, row.learner, row.weights) == ("high", "low, ncm", "ncm", "none")
    assert [(test.a, test.b, test.metric, test.difference) for test in row.tests] == [
        (0, 0, metric, lead) for metric, lead in (("acc_all", 0.0), ("acc_base", 0.5), ("acc_novel", 0.5))
    ]
    table = "\n".join(module("table").markdown(experiment))
    assert "| ncm | none | – | as given | high | low, ncm | +0.0 | +50.0 | +50.0 |" in table


def test_rows_of_another_experiment_are_set_against_one_of_this(go: Any, tmp_path: Path) -> None:
    go(step("high", "--lr 0.75"))
    (tmp_path / "toy.json").rename(tmp_path / "other.json")
    experiment = go(step("low", "--lr 0.25"), compare=[{"steps": ["high"], "against": "low"}])
    assert [test.difference for test in experiment.compared[0].tests] == [0.0, 0.5, 0.5] and [s.step for s in experiment.steps] == ["low"]


def test_other_splits_are_not_compared(go: Any) -> None:
    assert go(step("low"), step("high", "--other-split"), compare=[{"steps": ["high"], "against": "low"}]).compared == ()
