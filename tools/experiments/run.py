"""Repeat the experiments behind the README's results.

An experiment is a TOML file beside this one: steps, each a command of ours with `{data}` (the folder of the real sets) and
`{out}` (where runs are kept) in it. A step that is done is not repeated, and steps of several experiments with the same `out` are one.
What each step found is written to results/<experiment>.json, which table.py turns into the README's tables.

A `compare` sets every row of some steps, of this or another experiment, against one row of another, seed by seed where their splits are
the same: a run of hours need not be repeated beside each.

A step with `each` stands for one step a value (or combination of values) of the options it names, with `{option}` filled in.
With `arms` all steps are gone through once an arm: its words are filled in, and its lists stand where `each` or `grid` name them.
A step with a `grid` is run once for every value of one option, each on training images that are not shots, and later steps take the
best with `{best:<step>}`: the value with the highest mean of acc_base and acc_novel, and of two equal ones the smaller.
"""

from __future__ import annotations

import datetime
import itertools
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from repr import console, runs
from repr.errors import UserError, nearest
from repr.evaluation.statistics import paired
from repr.experiments import document
from repr.experiments.document import Document
from repr.files import content_key, read_json, replacing
from repr.methods import load, read
from repr.models.weights import read_weights
from repr.records import to_json
from rpc_transfer import protocol

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
KEPT = (
    *("acc_all", "acc_base", "acc_novel", "harmonic_mean", "acc_novel_only", "avg_incremental_acc", "forgetting_base"),
    *("auroc_unknown", "fpr95_unknown", "rejected_known", "acc_accepted", "accepted_unknown", "ece", "aurc", "seconds"),
    *("ci95", "seeds", "crops"),
)
COMPARED = ("acc_all", "acc_base", "acc_novel")


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
@click.option("--results", type=click.Path(path_type=Path), default=HERE / "results", help="Where the figures are written.")
@click.option("--only", metavar="REGEX", help="Only the steps whose name holds this; what was found of the others stands.")
def main(names: tuple[str, ...], data: Path, out: Path, results: Path, only: str | None) -> None:
    """Run EXPERIMENT… (the names of the .toml files beside this one; all of them when none is named), or go on with them."""
    for name in names or sorted(p.stem for p in HERE.glob("*.toml")):
        file = HERE / f"{name}.toml"
        if not file.is_file():
            raise UserError(f"no such experiment: {name}", HERE, nearest(name, sorted(p.stem for p in HERE.glob("*.toml"))))
        run_experiment(tomllib.loads(file.read_text(encoding="utf-8")), name, data, out, results, only)


class Failed(Exception):
    """A step that cannot be run, or found nothing: another that it needs has failed, or no row of it ran."""


def run_experiment(experiment: dict[str, Any], name: str, data: Path, out: Path, results: Path, only: str | None = None) -> None:
    """Run the steps of one experiment in order. A step that fails is noted, and the others go on.

    What was found before stands in results/<name>.json until the same step has been found anew. So with `only`, a regular expression
    that names of steps are searched for, an experiment of hours is measured in several sittings; the weights of the others may be gone.
    """
    out.mkdir(parents=True, exist_ok=True)
    file = results / f"{name}.json"
    stored = read_json(file) if file.is_file() else {"steps": [], "compared": []}
    before = {step["step"]: step for step in stored["steps"]}
    chosen: dict[str, Any] = {}
    asked = list(_each(_armed(experiment)))
    if only and not any(_holds(step["out"], only) for step in asked):
        raise UserError(f"{name} has no step whose name holds {only}", "--only", nearest(only, [step["out"] for step in asked]))
    for step in asked:
        if only and not _holds(step["out"], only):
            found = before.get(step["out"], {})
            chosen |= {step["out"]: found["chosen"]} if "chosen" in found else {}
            continue
        values = {"data": str(data), "out": str(out), **{f"best:{of}": str(best) for of, best in chosen.items()}}
        try:
            if "grid" in step:
                found = _grid(step, values, out, asked, before)
            else:
                found = _found(_do(step, step["out"], values, out), _asked(step, values), out)
        except (subprocess.CalledProcessError, Failed) as error:
            if isinstance(error, subprocess.CalledProcessError) and error.returncode == 130:
                raise KeyboardInterrupt from None
            reason = str(error) if isinstance(error, Failed) else f"exit code {error.returncode}"
            console.say(f"{step['out']}: failed ({reason}); going on")
            found = {"run": step["run"], **before.get(step["out"], {}), "error": reason}
        chosen |= {step["out"]: found["chosen"]} if "chosen" in found and "error" not in found else {}
        before[step["out"]] = {"step": step["out"], **found}
        described = {"experiment": name, "title": experiment["title"], "written": datetime.date.today().isoformat()}
        wanted = dict.fromkeys(other["out"] for other in asked)  # each once: arms may alpha a step
        steps = [before[one] for one in wanted if one in before]
        everywhere = _stored(results) | before if "compare" in experiment else {}
        compared = [test for pair in experiment.get("compare", ()) for test in _compared(pair, everywhere, stored["compared"])]
        content = {**described, "environment": runs.environment(), "steps": steps, "compared": compared}
        with replacing(file) as temporary:
            temporary.write_text(tight(content), encoding="utf-8")
    console.say(f"{name}: done, see {file}")


def tight(content: Any) -> str:
    """JSON whose innermost lists and objects take one line each: a figure of five seeds is a line, not eight."""
    text = json.dumps(content, indent=1, ensure_ascii=False)
    for inner in (r"\[\n\s*([^\[\]{}]*?)\n\s*\]", r"\{\n\s*([^{}\n]*(?:\n[^{}\n]*)*?)\n\s*\}"):
        text = re.sub(inner, lambda found: found[0][0] + re.sub(r"\n\s*", " ", found[1]) + found[0][-1], text)
    return text + "\n"


def _holds(name: str, expression: str) -> bool:
    try:
        return re.search(expression, name) is not None
    except re.error as error:
        raise UserError(f"{expression} is no regular expression ({error})", "--only", "Escape what is not one, or leave it out") from None


def _armed(experiment: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The steps, once for every arm: its words for `{word}`, its lists where `each` and `grid` have a name instead of values."""
    for arm in experiment.get("arms", [{}]):
        words = {word: value for word, value in arm.items() if isinstance(value, str)}
        for step in experiment["steps"]:
            for key in {"each", "grid"} & set(step):
                step = step | {key: {option: arm[asked] if isinstance(asked, str) else asked for option, asked in step[key].items()}}
            yield _with(step, words)


def _each(steps: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The steps, those with `each` once for every combination of its values."""
    for step in steps:
        options = step.get("each", {})
        for combination in itertools.product(*options.values()):
            yield _with(step, dict(zip(options, combination, strict=True)))


def _with(step: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """The step with `{option}` in its name and its command filled in."""
    for option, value in values.items():
        step = step | {key: step[key].replace(f"{{{option}}}", str(value)) for key in ("out", "run")}
    return step


def _grid(step: dict[str, Any], values: dict[str, str], out: Path, asked: list[dict[str, Any]], before: dict[str, Any]) -> dict[str, Any]:
    """Run a step once for every value of its option; what each scored, the best, and whether it lies at the grid's edge.

    A value whose weights are no longer there keeps the score it had `before`, if it and the weights were made by the commands that are
    `asked` now: so a grid can be widened with --only by one value.
    """
    ((option, grid),) = step["grid"].items()
    command = _asked(step, {**values, option: f"{{{option}}}"})
    stored = before.get(step["out"], {})
    known = stored.get("tried", {}) if stored.get("run") == command else {}
    made = {one["out"]: one for one in asked}
    score: dict[Any, float] = {}
    for value in sorted(grid):
        weights = re.findall(r"\{out\}/(\S+)", command.replace(f"{{{option}}}", str(value)))
        gone = any(not (out / name).exists() for name in weights)
        same = all(name in made and before.get(name, {}).get("run") == _asked(made[name], values) for name in weights)
        if str(value) in known and gone and same:
            score[value] = known[str(value)]
        else:
            score[value] = _score(_do(step, f"{step['out']}-{value}", {**values, option: str(value)}, out))
    best = max(score, key=lambda value: score[value])
    tried = {str(value): score[value] for value in grid}
    return {"run": command, "option": option, "tried": tried, "chosen": best, "at_edge": best in (min(grid), max(grid))}


def _do(step: dict[str, Any], name: str, values: dict[str, str], out: Path) -> Path:
    """Run one command unless it is done; where its output lies. Raises UserError when that was made by another command."""
    path, stamp = out / name, out / f"{name}.command"
    asked = _asked(step, values)
    if stamp.is_file() and path.exists() and stamp.read_text(encoding="utf-8") != asked:
        raise UserError("was made by another command", path, f"Move it away with {stamp.name}; the command is now: {asked}")
    stamp.write_text(asked, encoding="utf-8")
    if _done(path):
        return path
    words = [*shlex.split(_filled(step["run"], values)), "--out", str(path)]
    if words[:2] == ["repr", "pretrain"] and (path / "checkpoint").exists():
        words = ["repr", "pretrain", "--resume", "--out", str(path)]
    console.say(f"\n$ {shlex.join(words)}")
    subprocess.run([str(BIN / words[0]), *words[1:]], check=True, stdout=sys.stderr)
    return path


def _asked(step: dict[str, Any], values: dict[str, str]) -> str:
    """The command with all but the two places filled in: it says what was made, wherever that lies."""
    return _filled(step["run"], {**values, "data": "{data}", "out": "{out}"})


def _filled(command: str, values: dict[str, str]) -> str:
    missing = [name for name in re.findall(r"\{([^{}]+)\}", command) if name not in values]
    if missing:
        raise Failed(f"nothing is known of {', '.join(missing)}")
    return re.sub(r"\{([^{}]+)\}", lambda match: values[match[1]], command)


def _done(path: Path) -> bool:
    """Whether a run folder is finished; anything else is when it is there."""
    return runs.Run.open(path).config["status"] == "done" if (path / "config.json").is_file() else path.is_file()


def _score(path: Path) -> float:
    """What a grid is judged by, on training images that are not shots."""
    rows = [row for row in document.read(path).rows if not row.error]
    if not rows:
        raise Failed(f"no row of {path.name} could be run")
    assert all(row.config["test_on"] == "validation" for row in rows), "a grid is judged on training images"
    return sum((row.metrics["acc_base"].mean + row.metrics["acc_novel"].mean) / 2 for row in rows) / len(rows)


def _found(path: Path, command: str, out: Path) -> dict[str, Any]:
    """What a step made: the figures of a transfer, an evaluation or a classification; how weights were trained or mixed."""
    if not (path / "config.json").is_file():
        return {"run": command}
    config = runs.Run.open(path).config
    if config["command"] == "repr pretrain":
        arguments, metrics = config["arguments"], config["result"]["metrics"]
        method, own = read(arguments["method"])
        trained = {name: arguments[name] for name in ("init", "epochs", "size", "batch_size")}
        trained |= {"method": method, "projector": getattr(own, "projector", None) or None}
        views = arguments["views"] or load(method).default_views
        told = {"lr": arguments["lr"] or _rate(path), "views": views, "source": config["data"]}
        return {"run": command, "trained": {**trained, **told, "metrics": metrics}}
    if (path / document.FILE).is_file():
        return _found_rows(document.read(path), command, out) | _split(path)
    content = config["result"]
    rows = []
    for row in content["rows"]:
        micro = row["retrieval"]["micro"] if "retrieval" in row else {}  # an evaluation's
        row = {key: value for key, value in (row | micro).items() if key in KEPT or not isinstance(value, dict | list)}
        for key in ("weights", "name"):
            if row.get(key):
                row[key] = row[key].replace(f"{out}/", "")
        rows.append(row)
    found = {"run": command, "seeds": content.get("seeds"), "data": content.get("data"), "rows": rows}
    return found | {"paired": [], "comparisons": content.get("comparisons", [])}


def _found_rows(found: Document, command: str, out: Path) -> dict[str, Any]:
    """What a transfer found, in the form of results/*.json: weights that nothing was trained of are null there."""

    def named(weights: object) -> str | None:
        return None if weights == "none" else str(weights).replace(f"{out}/", "")

    rows = []
    for row in found.rows:
        kept: dict[str, Any] = {name: to_json(of) for name, of in row.metrics.items() if name in KEPT}
        config = {name: to_json(value) for name, value in row.config.items() if name in KEPT or not isinstance(value, tuple)}
        rows.append({**config, **kept, "weights": named(row.config["weights"]), "synthetic": row.synthetic, "error": row.error or None})
    paired = []
    for test in found.comparisons:
        a, b = found.rows[test.a].config, found.rows[test.b].config
        ours = "none" in (a["weights"], b["weights"]) or "imagenet" in (a["weights"], b["weights"])
        if test.metric not in COMPARED or (test.against == "weights" and not ours):
            continue  # the tests against scratch, against what a user has without us and against the upper bound; not each with each
        sides = {f"{side}_{name}": to_json(of[name]) for side, of in (("a", a), ("b", b)) for name in ("features", "crops")}
        told = {"learner": a["learner"], "shots": a["shots"], "metric": test.metric, "against": test.against, "b_learner": b["learner"]}
        came = {"difference": test.difference, "ci95": test.ci95, "p": test.p, "n": test.n}
        paired.append({**told, "a": named(a["weights"]), "b": named(b["weights"]), **sides, **came})
    return {"run": command, "seeds": list(found.seeds), "data": found.data, "rows": rows, "paired": paired, "comparisons": []}


def _split(path: Path) -> dict[str, str]:
    """{"split": what tells the products, shots and tests of a transfer from others}: rows of equal ones may be compared seed by seed."""
    if not (path / protocol.FILE).is_file():
        return {}
    split = to_json(protocol.SplitFile.read(path / protocol.FILE))
    assert isinstance(split, dict)
    return {"split": content_key({key: split[key] for key in ("base", "novel", "increments", "support", "tests")})}


def _rate(path: Path) -> float | None:
    """The rate that weights were trained at, as their recipe tells: today's default may be another. None where it does not tell."""
    found = re.search(r"\brate ([^,]+)", read_weights(path).recipe)
    return float(found[1]) if found else None


def _compared(asked: dict[str, Any], found: dict[str, Any], stored: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Paired tests of each row of `steps` minus the row of `against` (the only one, or that of `learner`), where splits are the same.

    Steps that were found before splits were stored keep the tests that were `stored`.
    """
    against = found.get(asked["against"], {})
    others = [row for row in against.get("rows", ()) if asked.get("learner") in (None, row["learner"])]
    named = ", ".join(filter(None, (asked["against"], asked.get("learner"))))
    tests: list[dict[str, Any]] = []
    for name in asked["steps"] if others else ():
        (b,) = others
        step = found.get(name, {})
        if not ("split" in step and "split" in against):
            tests += [test for test in stored if (test["step"], test["against"]) == (name, named)]
            continue
        rows = [row for row in step["rows"] if not row["error"]]
        if rows and step["split"] != against["split"]:
            console.say(f"{name} and {asked['against']} are not of the same splits: not compared")
            continue
        for a in rows:
            described = {"step": name, "against": named, **{key: a[key] for key in ("learner", "weights", "features")}}
            for metric in COMPARED:
                test = paired(a[metric]["values"], b[metric]["values"])
                tests.append({**described, "metric": metric, "difference": test.difference, "ci95": test.ci95, "p": test.p, "n": test.n})
    return tests


def _stored(results: Path) -> dict[str, Any]:
    """The steps of all experiments, by name."""
    return {step["step"]: step for file in sorted(results.glob("*.json")) for step in read_json(file)["steps"]}


if __name__ == "__main__":
    console.run(main, "experiments")
