"""Print the experiments' results as Markdown tables: start × method × source × views × epochs × resolution, and what failed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from repr.crops import WHOLE, suffix
from repr.evaluation.words import p_value, percent, points
from repr.files import read_json

RATES = {"acc_all": "all", "acc_base": "base", "acc_novel": "novel", "harmonic_mean": "harmonic", "forgetting_base": "forgetting"}
EVALUATED = {"knn_top1": "kNN", "linear_top1": "linear", "recall@1": "recall@1", "recall@5": "recall@5", "map@r": "map@r"}
CLASSIFIED = {"top1": "top-1", "top5": "top-5", "ap_macro": "AP macro", "f1_macro": "F1 macro", "ece": "ECE"}
KNOWN = ("learner", "start", "method", "source", "views", "epochs", "trained px", "encoder", "px", "shots", "seeds", "run")


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, path_type=Path))
def main(files: tuple[Path, ...]) -> None:
    """Print FILE… (by default all under results/)."""
    for file in files or sorted((Path(__file__).parent / "results").glob("*.json")):
        click.echo("\n".join(markdown(read_json(file))) + "\n")


def markdown(experiment: dict[str, Any]) -> list[str]:
    """The lines of one experiment: a table of its transfer rows, best acc_novel last; the sources' own accuracy; the grids; failures."""
    steps = experiment["steps"]
    starts = {step["step"]: step for step in steps if "trained" in step or step.get("run", "").startswith("repr weights mix")}
    rows = [(step, row) for step in steps for row in step.get("rows", ()) if "acc_novel" in row and not row["error"]]
    rows.sort(key=lambda pair: pair[1]["acc_novel"]["mean"])
    out = [f"**{experiment['title']}** ({experiment['written']})", ""]
    if rows:
        out += [f"| {' | '.join([*KNOWN, *RATES.values()])} |", "| " + "--- | " * (len(KNOWN) + len(RATES))]
    for step, row in rows:
        known = [row["learner"], *_start(row["weights"], starts), row["features"], _px(row), row["shots"]]
        known += [len(step["seeds"]), step["step"]]
        out.append(f"| {' | '.join([*map(str, known), *(_rate(row.get(name)) for name in RATES)])} |")
    out += evaluated([row for step in steps for row in step.get("rows", ()) if row.get("knn_top1") is not None])
    out += classified([row for step in steps for row in step.get("rows", ()) if row.get("top1") is not None])
    for step in steps:
        for test in step.get("comparisons", ()):
            names = [f"{test[side]}{' ' + test['hierarchy'] if test.get('hierarchy') and side == 'a' else ''}" for side in ("a", "b")]
            lead = points(test["difference"], test["ci95"])
            out += ["", f"{' − '.join(names)}, level {test['level']}: {lead} points, p {p_value(test['p'])}."]
    out += against(experiment.get("compared", []), starts)
    for name, step in starts.items():
        if metrics := step.get("trained", {}).get("metrics"):
            own = ", ".join(f"{key} {value:.3f}" for key, value in metrics.items() if key in ("train_acc", "val_acc", "val_ncm", "loss"))
            out += ["", f"{name}, on its own task: {own}."]
    for step in steps:
        if "tried" in step:
            tried = ", ".join(f"{value}: {100 * score:.1f}" for value, score in step["tried"].items())
            edge = ", at the grid's edge" if step.get("at_edge") else ""
            out += ["", f"{step['step']}: {step['option']} {step['chosen']}{edge}, of {tried} (training images that are not shots)."]
        failed = [f"{row['learner']}: {row['error']}" for row in step.get("rows", ()) if row.get("error")]
        out += [line for text in failed for line in ("", f"Not run: {step['step']}, {text}.")]
        if "error" in step:
            out += ["", f"Not run{' anew' if step.keys() > {'step', 'run', 'error'} else ''}: {step['step']}, {step['error']}."]
    return out


def against(tests: list[dict[str, Any]], starts: dict[str, dict[str, Any]]) -> list[str]:
    """A table of rows minus one row of another step, on the same splits; none when there are none."""
    if not tests:
        return []
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for test in tests:
        key = (test["learner"], *_start(test["weights"], starts)[:2], test["features"], test["step"], test["against"])
        rows.setdefault(key, {})[test["metric"]] = points(test["difference"], test["ci95"])
    shown = list(RATES)[:3]
    header = ["learner", "start", "method", "encoder", "run", "minus", *(RATES[name] for name in shown)]
    body = [f"| {' | '.join([*key, *(row[name] for name in shown)])} |" for key, row in rows.items()]
    return ["", f"| {' | '.join(header)} |", "| " + "--- | " * len(header), *body]


def classified(rows: list[dict[str, Any]]) -> list[str]:
    """A table of the rows of `repr classify`; none when there are none."""
    if not rows:
        return []
    out = [
        f"| {' | '.join(('model', 'hierarchy', 'modality', 'level', 'masked', 'seeds', *CLASSIFIED.values()))} |",
        "| " + "--- | " * (6 + len(CLASSIFIED)),
    ]
    for row in rows:
        half = row.get("ci95") or {}
        rates = [percent(row[name], half.get(name)) for name in CLASSIFIED]
        known = [row["model"], row["hierarchy"], row["modality"], row["level"], "yes" if row.get("masked") else "no", len(row["seeds"])]
        out.append(f"| {' | '.join([*map(str, known), *rates])} |")
    return out


def evaluated(rows: list[dict[str, Any]]) -> list[str]:
    """The lines of a table of evaluations; none without rows."""
    if not rows:
        return []
    out = [f"| weights | {' | '.join(EVALUATED.values())} |", "| " + "--- | " * (1 + len(EVALUATED))]
    return out + [f"| {' | '.join([row['name'], *(percent(row.get(name)) for name in EVALUATED)])} |" for row in rows]


def _rate(figure: dict[str, Any] | None) -> str:
    return percent(figure["mean"], figure["ci95"]) if figure else percent(None)


def _px(row: dict[str, Any]) -> str:
    """The side of the images and, where they were not embedded as a whole, the crops."""
    return str(row["size"]) + suffix(row.get("crops", WHOLE))


def _start(weights: str | None, starts: dict[str, dict[str, Any]]) -> list[str]:
    """What a row started from, in the columns start … trained px; a mix of two names both and the alpha of the second."""
    step = starts.get(weights or "", {})
    if "trained" in step:
        made = step["trained"]
        return [str(made[name]) for name in ("init", "method", "source", "views", "epochs", "size")]
    if step:
        words = shlex.split(step["run"])
        first, second = (Path(word).name for word in words[3:5])
        alpha = words[words.index("--alpha") + 1] if "--alpha" in words else "0.25"
        start, method, *rest = _start(second, starts)
        mixed = f"{alpha} of ({method}) in ({_start(first, starts)[1]})" if first in starts else f"{method}, {alpha} of it mixed in"
        return [start, mixed, *rest]
    return [weights or "none", *["–"] * 5]


if __name__ == "__main__":
    main()
