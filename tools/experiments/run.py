"""Repeat the experiments behind docs/results.md.

An experiment is a TOML file beside this one: steps, each a command of ours with `{data}` (the folder of the real sets) and
`{out}` (where runs are kept) in it. A step that is done is not repeated, and steps of several experiments with the same `out` are one.
What each step found is written to results/<experiment>.json, which table.py turns into tables.

A `compare` sets every row of some steps, of this or another experiment, against one row of another, seed by seed where their splits are
the same: a run of hours need not be repeated beside each.

A step with `each` stands for one step a value (or combination of values) of the options it names, with `{option}` filled in.
With `arms` all steps are gone through once an arm: its words are filled in, and its lists stand where `each` or `grid` name them.
With `--jobs` steps run side by side, and the values of a grid, as soon as those that they name are done: on a machine with cores to spare.
A step with a `grid` is run once for every value of one option, each on training images that are not shots, and later steps take the
best with `{best:<step>}`: the value with the highest mean of acc_base and acc_novel, and of two equal ones the smaller.
"""

from __future__ import annotations

import datetime
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import click
import plan
import stored
from plan import Command, Compare, Failed, Plan
from stored import Against, Experiment, Grid, Step, Trained, Tried

from repr import console, runs
from repr.errors import UserError, nearest
from repr.experiments import document
from repr.experiments.document import Comparison, Document, Row
from repr.experiments.summary import compared as paired
from repr.experiments.trials import key
from repr.methods import read as read_method
from repr.records import Scalar

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
TRANSFER = "rpc_transfer run"
KEPT = (
    *("acc_all", "acc_base", "acc_novel", "harmonic_mean", "acc_novel_only", "avg_incremental_acc", "forgetting_base"),
    *("auroc_unknown", "fpr95_unknown", "rejected_known", "acc_accepted", "accepted_unknown", "ece", "aurc", "seconds"),
)  # of a transfer's metrics
GROUPS = ("rows", "missing")  # of metrics that are kept
COMPARED = ("acc_all", "acc_base", "acc_novel")
VERSION = 1  # of how a grid is judged


@click.command()
@click.argument("names", nargs=-1, metavar="[EXPERIMENT…]")
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="The folder with grocery, freiburg, fashion, fruits.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs/experiments"), show_default=True, help="Where the runs are kept."
)
@click.option("--results", type=click.Path(path_type=Path), default=stored.RESULTS, help="Where the figures are written.")
@click.option("--only", metavar="REGEX", help="Only the steps whose name holds this; what was found of the others stands.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="How many steps run side by side.")
def main(names: tuple[str, ...], data: Path, out: Path, results: Path, only: str | None, jobs: int) -> None:
    """Run EXPERIMENT… (the names of the .toml files beside this one; all of them when none is named), or go on with them."""
    for name in names or sorted(p.stem for p in HERE.glob("*.toml")):
        file = HERE / f"{name}.toml"
        if not file.is_file():
            raise UserError(f"no such experiment: {name}", HERE, nearest(name, sorted(p.stem for p in HERE.glob("*.toml"))))
        run_experiment(plan.read(file), name, data, out, results, only, jobs)


@dataclass
class Sitting:
    """One sitting of an experiment. before: what is known of each step, by name; chosen: the best of grids so far.

    write: called after each step, one at a time. jobs: how many steps run side by side.
    """

    data: Path
    out: Path
    commands: Sequence[Command]
    before: dict[str, Step]
    write: Callable[[], None]
    jobs: int = 1
    chosen: dict[str, Scalar] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.over = {command.out: threading.Event() for command in self.commands}
        self.writing = threading.Lock()
        self.stopped = False

    @property
    def values(self) -> dict[str, str]:
        """What is filled in for what stands in braces."""
        best = list(self.chosen.items())  # other steps add to it
        return {"data": str(self.data), "out": str(self.out), **{f"best:{of}": str(value) for of, value in best}}

    def run(self, only: str | None) -> None:
        """Go through all steps. They begin in their order, so one that waits for others waits for those that have begun."""
        with ThreadPoolExecutor(self.jobs) as pool:
            running = [pool.submit(self.when_ready, command, only) for command in self.commands]
            try:
                for step in running:
                    step.result()
            except BaseException:  # Ctrl-C: what has not begun does not
                self.stopped = True
                pool.shutdown(wait=False, cancel_futures=True)
                for over in self.over.values():
                    over.set()
                raise

    def when_ready(self, command: Command, only: str | None) -> None:
        """Go through a step when those that it names have been gone through."""
        for name in command.needs():
            if name in self.over:
                self.over[name].wait()
        try:
            if not self.stopped:
                self.step(command, only)
        finally:
            self.over[command.out].set()

    def step(self, command: Command, only: str | None) -> None:
        """Go through one step, or take what was found before where it is not among those asked for."""
        if not only or _holds(command.out, only):
            step = _tried(command, self)
            with self.writing:
                self.add(step, anew=True)
                self.write()
        elif command.out in self.before:
            self.add(self.before[command.out], anew=False)

    def add(self, step: Step, *, anew: bool) -> None:
        """Take in what a step found; the best of a grid that failed anew is not used."""
        if step.grid is not None and not (anew and step.error):
            self.chosen[step.step] = step.grid.chosen
        if anew:
            self.before[step.step] = step


def run_experiment(experiment: Plan, name: str, data: Path, out: Path, results: Path, only: str | None = None, jobs: int = 1) -> None:
    """Run the steps of one experiment in order, as many side by side as there are jobs. A step that fails is noted, and the others go on.

    What was found before stands in results/<name>.json until the same step has been found anew. So with `only`, a regular expression
    that names of steps are searched for, an experiment of hours is measured in several sittings; the weights of the others may be gone.
    """
    file = results / f"{name}.json"
    commands = experiment.commands()
    if only and not any(_holds(command.out, only) for command in commands):
        raise UserError(f"{name} has no step whose name holds {only}", "--only", nearest(only, [command.out for command in commands]))
    out.mkdir(parents=True, exist_ok=True)
    before = {step.step: step for step in stored.read(file).steps} if file.is_file() else {}
    sitting = Sitting(data, out, commands, before, lambda: _write(file, experiment, commands, before, results), jobs)
    sitting.run(only)
    console.say(f"{name}: done, see {file}")


def _write(file: Path, experiment: Plan, commands: Sequence[Command], before: dict[str, Step], results: Path) -> None:
    """Write what is known of the steps of an experiment, and the comparisons that can be made of it."""
    steps = tuple(before[command.out] for command in commands if command.out in before)
    elsewhere = {step.step: step for other in stored.read_all(results) for step in other.steps} if experiment.compare else {}
    compared = tuple(test for pair in experiment.compare for test in _against(pair, elsewhere | before))
    today, machine = datetime.date.today().isoformat(), runs.environment()
    stored.write(
        file,
        Experiment(experiment=file.stem, title=experiment.title, written=today, environment=machine, steps=steps, compared=compared),
    )


def _holds(name: str, expression: str) -> bool:
    try:
        return re.search(expression, name) is not None
    except re.error as error:
        raise UserError(f"{expression} is no regular expression ({error})", "--only", "Escape what is not one, or leave it out") from None


def _tried(command: Command, sitting: Sitting) -> Step:
    """What a step found; where it fails, what was found before, and the error."""
    try:
        return _grid(command, sitting) if command.grid else _found(command, _do(command, command.out, sitting.values, sitting.out), sitting)
    except (subprocess.CalledProcessError, Failed) as error:
        if isinstance(error, subprocess.CalledProcessError) and error.returncode == 130:
            raise KeyboardInterrupt from None
        reason = str(error) if isinstance(error, Failed) else f"exit code {error.returncode}"
        console.say(f"{command.out}: failed ({reason}); going on")
        return replace(sitting.before.get(command.out, Step(command.out, command.run)), error=reason)


def _grid(command: Command, sitting: Sitting) -> Step:
    """Run a step once for every value of its option; what each scored, the best, and whether it lies at the grid's edge.

    A value keeps the score that the step found for it before, where it and its weights were made by the same commands: so a grid can be
    widened by one value after the weights of the others are gone.
    """
    ((option, values),) = command.grid.items()
    assert isinstance(values, tuple)
    stored_grid = sitting.before.get(command.out, Step("")).grid
    known = {scored.key: scored.score for scored in stored_grid.tried if scored.key} if stored_grid else {}
    keys = {value: _key(command, {**sitting.values, option: str(value)}, sitting) for value in sorted(values, key=_number)}

    def score_of(value: Scalar) -> float:
        if keys[value] in known:
            return known[keys[value]]
        return _score(_do(command, f"{command.out}-{value}", {**sitting.values, option: str(value)}, sitting.out))

    with ThreadPoolExecutor(sitting.jobs) as pool:
        score = dict(zip(keys, pool.map(score_of, keys), strict=True))
    best = max(score, key=lambda value: score[value])
    scored = tuple(Tried(str(value), score[value], keys[value]) for value in values)
    at_edge = best in (min(values, key=_number), max(values, key=_number))
    return Step(command.out, command.template({**sitting.values, option: f"{{{option}}}"}), grid=Grid(option, scored, best, at_edge))


def _number(value: Scalar) -> float:
    assert isinstance(value, int | float), f"a grid of {value!r}"
    return value


def _key(command: Command, values: Mapping[str, str], sitting: Sitting) -> str:
    """Of a grid's command with one value, and of those that make its weights; "" where another experiment makes them."""
    run = command.template(values)
    makers = {one.out: one for one in sitting.commands}
    names = re.findall(r"\{out\}/(\S+)", run)
    if any(name not in makers for name in names):
        return ""
    return key(VERSION, 0, {"run": run, "weights": [makers[name].template(sitting.values) for name in names]})


def _do(command: Command, name: str, values: Mapping[str, str], out: Path) -> Path:
    """Run one command unless it is done; where its output lies. Raises UserError when that was made by another command."""
    path, stamp = out / name, out / f"{name}.command"
    run = command.template(values)
    if stamp.is_file() and path.exists() and stamp.read_text(encoding="utf-8") != run:
        raise UserError("was made by another command", path, f"Move it away with {stamp.name}; the command is now: {run}")
    stamp.write_text(run, encoding="utf-8")
    if _done(path):
        return path
    words = [*shlex.split(plan.fill(command.run, values)), "--out", str(path)]
    if words[:2] == ["repr", "pretrain"] and (path / "checkpoint").exists():
        words = ["repr", "pretrain", "--resume", "--out", str(path)]
    console.say(f"\n$ {shlex.join(words)}")
    subprocess.run([str(BIN / words[0]), *words[1:]], check=True, stdout=sys.stderr)
    return path


def _done(path: Path) -> bool:
    """Whether a run folder is finished; anything else is when it is there."""
    return bool(runs.Run.open(path).config["status"] == "done") if (path / "config.json").is_file() else path.is_file()


def _score(path: Path) -> float:
    """What a grid is judged by, on training images that are not shots."""
    rows = [row for row in document.read(path).rows if not row.error]
    if not rows:
        raise Failed(f"no row of {path.name} could be run")
    assert all(row.config["test_on"] == "validation" for row in rows), "a grid is judged on training images"
    return sum((row.metrics["acc_base"].mean + row.metrics["acc_novel"].mean) / 2 for row in rows) / len(rows)


def _found(command: Command, path: Path, sitting: Sitting) -> Step:
    """What a step made: the document of a transfer, an evaluation or a classification; how weights were trained."""
    step = Step(command.out, command.template(sitting.values))
    if not (path / "config.json").is_file():
        return step
    run = runs.Run.open(path)
    if run.config["command"] == "repr pretrain":
        return replace(step, trained=_trained(run))
    return replace(step, found=_kept(document.read(path), f"{sitting.out}/"))


def _trained(run: runs.Run) -> Trained:
    """How the weights of a pretraining were made, as it was resolved."""
    settings = run.settings
    return Trained(
        init=settings["init"],
        method=read_method(settings["method"])[0],
        source=run.config["data"],
        views=settings["views"],
        epochs=settings["epochs"],
        size=settings["size"],
        batch_size=settings["batch_size"],
        lr=settings["lr"],
        projector=settings.get("projector") or None,
        metrics=run.config["result"]["metrics"],
    )


def _kept(results: Document, place: str) -> Document:
    """What of a document is stored: no group of metrics but GROUPS, of a transfer KEPT alone; weights without their place."""

    def of_row(row: Row) -> Row:
        names = [name for name in row.metrics if _is_kept(name, results.command)]
        config = {name: value.replace(place, "") if isinstance(value, str) else value for name, value in row.config.items()}
        return replace(row, config=config, metrics={name: row.metrics[name] for name in names})

    tests = tuple(test for test in results.comparisons if _is_told(test, results))
    return replace(results, rows=tuple(map(of_row, results.rows)), comparisons=tests, weights=(), notes=(), about={})


def _is_kept(metric: str, command: str) -> bool:
    group, slash, _ = metric.partition("/")
    return metric in KEPT if command == TRANSFER else not slash or group in GROUPS


def _is_told(test: Comparison, results: Document) -> bool:
    """Of a transfer the tests against scratch, against what a user has without us, and against the upper bound: not each with each."""
    if results.command != TRANSFER:
        return True
    usual = {results.rows[side].config["weights"] for side in (test.a, test.b)} & {"none", "imagenet"}
    return test.metric in COMPARED and (test.against != "weights" or bool(usual))


def _against(pair: Compare, steps: Mapping[str, Step]) -> list[Against]:
    """Paired tests of each row of `steps` minus the row of `against`, where they share seeds and splits."""
    against = _rows(steps, pair.against)
    others = [b for b, row in enumerate(against) if pair.learner in ("", row.config["learner"])]
    tests = []
    for step in pair.steps if others else ():
        (b,) = others
        rows = _rows(steps, step)
        both = [*rows, against[b]]
        for a, row in enumerate(rows):
            differences = paired(both, a, len(rows), COMPARED, against="step")
            if differences:
                learner, weights, features = (str(row.config[name]) for name in ("learner", "weights", "features"))
                tests.append(Against(step, pair.named, learner, weights, features, tuple(replace(test, b=b) for test in differences)))
            elif not row.error:
                console.say(f"{step} and {pair.against} are not of the same splits: not compared")
                break
    return tests


def _rows(steps: Mapping[str, Step], name: str) -> tuple[Row, ...]:
    step = steps.get(name)
    return step.found.rows if step is not None and step.found is not None else ()


if __name__ == "__main__":
    console.run(main, "experiments")
