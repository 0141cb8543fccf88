"""Repeat the experiments behind the README's results.

An experiment is a TOML file beside this one: steps, each a command of ours with `{data}` (the folder of the real sets) and
`{out}` (where runs are kept) in it. A step that is done is not repeated, and steps of several experiments with the same `out` are one.
What the transfer and evaluation steps found is written to results/<experiment>.json, which table.py turns into the README's tables.

A step with a `grid` is run once for every value of one option, each on training pictures that are not shots, and later steps take the
best with `{best:<step>}`: the value with the highest mean of acc_base and acc_novel, and of two equal ones the smaller.
"""

from __future__ import annotations

import datetime
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import click

from repr import console, runs
from repr.errors import UserError, nearest
from repr.files import read_json, write_json

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
KEPT = (
    "acc_all",
    "acc_base",
    "acc_novel",
    "harmonic_mean",
    "acc_novel_only",
    "forgetting_base",
    "auroc_unknown",
    "fpr95_unknown",
    "ece",
    "seconds",
)


@click.command()
@click.argument("names", nargs=-1, metavar="[EXPERIMENT…]")
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="The folder with grocery, freiburg, fashion.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs/experiments"), show_default=True, help="Where the runs are kept."
)
@click.option("--results", type=click.Path(path_type=Path), default=HERE / "results", help="Where the figures are written.")
def main(names: tuple[str, ...], data: Path, out: Path, results: Path) -> None:
    """Run EXPERIMENT… (the names of the .toml files beside this one; all of them when none is named), or go on with them."""
    for name in names or sorted(p.stem for p in HERE.glob("*.toml")):
        file = HERE / f"{name}.toml"
        if not file.is_file():
            raise UserError(f"no such experiment: {name}", HERE, nearest(name, sorted(p.stem for p in HERE.glob("*.toml"))))
        run_experiment(tomllib.loads(file.read_text(encoding="utf-8")), name, data, out, results)


def run_experiment(experiment: dict[str, Any], name: str, data: Path, out: Path, results: Path) -> None:
    """Run the steps of one experiment in order, and write what they found after each."""
    out.mkdir(parents=True, exist_ok=True)
    chosen: dict[str, Any] = {}
    tables: list[dict[str, Any]] = []
    for step in experiment["steps"]:
        values = {"data": str(data), "out": str(out), **{f"best:{of}": str(best) for of, best in chosen.items()}}
        if "grid" in step:
            ((option, grid),) = step["grid"].items()
            score = {value: _score(_do(step, f"{step['out']}-{value}", {**values, option: str(value)}, out)) for value in grid}
            chosen[step["out"]] = max(sorted(score), key=lambda value: score[value])
            tables.append(
                {
                    "step": step["out"],
                    "option": option,
                    "tried": {str(value): score[value] for value in grid},
                    "chosen": chosen[step["out"]],
                }
            )
        else:
            path = _do(step, step["out"], values, out)
            found = _found(path, out)
            if found:
                tables.append({"step": step["out"], **found})
        described = {"experiment": name, "title": experiment["title"], "written": datetime.date.today().isoformat()}
        write_json(results / f"{name}.json", {**described, "environment": runs.environment(), "steps": tables})
    console.say(f"{name}: done, see {results / f'{name}.json'}")


def _do(step: dict[str, Any], name: str, values: dict[str, str], out: Path) -> Path:
    """Run one command unless it is done; where its output lies."""
    path = out / name
    if _done(path):
        return path
    command = re.sub(r"\{([^{}]+)\}", lambda match: values[match[1]], step["run"])
    words = [*shlex.split(command), "--out", str(path)]
    if words[:2] == ["repr", "pretrain"] and (path / "checkpoint").exists():
        words = ["repr", "pretrain", "--resume", "--out", str(path)]
    console.say(f"\n$ {shlex.join(words)}")
    subprocess.run([str(BIN / words[0]), *words[1:]], check=True, stdout=sys.stderr)
    return path


def _done(path: Path) -> bool:
    """Whether a run folder is finished; anything else is when it is there."""
    return runs.Run.open(path).config["status"] == "done" if (path / "config.json").is_file() else path.is_file()


def _score(path: Path) -> float:
    """What a grid is judged by, on training pictures that are not shots."""
    rows = [row for row in read_json(path / "results.json")["rows"] if not row["error"]]
    assert all(row["test_on"] == "leftover" for row in rows), "a grid is judged on training pictures"
    return float(sum((row["acc_base"]["mean"] + row["acc_novel"]["mean"]) / 2 for row in rows) / len(rows))


def _found(path: Path, out: Path) -> dict[str, Any] | None:
    """The figures of a transfer or an evaluation; None for steps that only make something."""
    if not (path / "config.json").is_file():
        return None
    config = runs.Run.open(path).config
    content = read_json(path / "results.json") if (path / "results.json").is_file() else config["result"]
    if "rows" not in content or isinstance(content["rows"], int):
        return None
    rows = []
    for row in content["rows"]:
        row = {key: value for key, value in row.items() if key in KEPT or not isinstance(value, dict | list)}
        for key in ("weights", "name"):
            if row.get(key):
                row[key] = row[key].replace(f"{out}/", "")
        rows.append(row)
    return {
        "command": config["command"],
        "seeds": content.get("seeds"),
        "data": content.get("data"),
        "rows": rows,
        "paired": _paired(content, out),
    }


def _paired(content: dict[str, Any], out: Path) -> list[dict[str, Any]]:
    tests = [test for test in content.get("paired", ()) if test["metric"] in ("acc_all", "acc_novel")]
    return [{k: v.replace(f"{out}/", "") if isinstance(v, str) else v for k, v in test.items()} for test in tests]


if __name__ == "__main__":
    console.run(main, "experiments")
