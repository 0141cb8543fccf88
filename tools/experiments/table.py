"""Print the experiments' results as Markdown tables: start × method × source × views × epochs × resolution, and what failed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import stored
from stored import Against, Experiment, Step

from repr.classify.request import COMMAND as CLASSIFY
from repr.classify.settings import RowConfig
from repr.classify.summary import name
from repr.crops import suffix
from repr.evaluation.words import p_value, points, rate
from repr.experiments.document import Config, Document, Row
from repr.models.names import weights_names
from repr.records import from_json

RATES = {"acc_all": "all", "acc_base": "base", "acc_novel": "novel", "harmonic_mean": "harmonic", "forgetting_base": "forgetting"}
EVALUATED = {"knn_top1": "kNN", "linear_top1": "linear", "recall@1": "recall@1", "recall@5": "recall@5", "map@r": "map@r"}
CLASSIFIED = {"top1": "top-1", "top5": "top-5", "ap_macro": "AP macro", "f1_macro": "F1 macro", "ece": "ECE"}
LOOKED = {"first": "first right", "five": "among five", "unknown": "called unknown", "calibration": "calibration error"}
COUNTED = {"cAcc/averaged": "cAcc", "mCIoU/averaged": "mCIoU", "recall/novel": "recall novel", "recall/base": "recall base"}
KNOWN = ("learner", "start", "method", "source", "views", "epochs", "trained px", "encoder", "px", "shots", "seeds", "run")
OF_CLASSIFIED = ("model", "hierarchy", "modality", "level", "masked", "seeds")
OF_CHECKOUT = ("weights", "index", "learner", "novel", "boxes")
OWN = ("train_acc", "val_acc", "val_ncm", "loss")  # how good weights are at their own task


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, path_type=Path))
def main(files: tuple[Path, ...]) -> None:
    """Print FILE… (by default all under results/)."""
    for file in files or sorted(stored.RESULTS.glob("*.json")):
        click.echo("\n".join(markdown(stored.read(file))) + "\n")


def markdown(experiment: Experiment) -> list[str]:
    """The lines of one experiment: a table of its transfer rows, best acc_novel last; the sources' own accuracy; the grids; failures."""
    starts = {step.step: step for step in experiment.steps if step.trained or step.run.startswith("repr weights mix")}
    out = [f"**{experiment.title}** ({experiment.written})", "", *transferred(experiment.steps, starts)]
    out += evaluated([row for step in experiment.steps for row in _rows(step, "knn_top1")])
    out += classified([row for step in experiment.steps for row in _rows(step, "top1")])
    out += looked_up([row for step in experiment.steps for row in _rows(step, "first")])
    out += counted([(step.step, row) for step in experiment.steps for row in _rows(step, "cAcc/averaged")])
    for step in experiment.steps:
        out += _differences(step.found) if step.found else []
    out += against(experiment.compared, starts)
    for step in starts.values():
        if step.trained and step.trained.metrics:
            own = ", ".join(f"{key} {value:.3f}" for key, value in step.trained.metrics.items() if key in OWN)
            out += ["", f"{step.step}, on its own task: {own}."]
    for step in experiment.steps:
        out += _grid_and_failures(step)
    return out


def transferred(steps: Sequence[Step], starts: Mapping[str, Step]) -> list[str]:
    """A table of the rows of transfers, best acc_novel last; none without rows."""
    rows = sorted(((step, row) for step in steps for row in _rows(step, "acc_novel")), key=lambda pair: pair[1].metrics["acc_novel"].mean)
    lines = []
    for step, row in rows:
        config = row.config
        known = [config["learner"], *_start(str(config["weights"]), starts), config["features"], _px(config), config["shots"]]
        lines.append([*known, len(row.seeds), step.step, *(rate(row.metrics.get(name)) for name in RATES)])
    return table([*KNOWN, *RATES.values()], lines) if lines else []


def against(rows: Sequence[Against], starts: Mapping[str, Step]) -> list[str]:
    """A table of rows minus one row of another step, on the same splits; none when there are none."""
    shown = list(RATES)[:3]
    lines: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        leads = {test.metric: points(test.difference, test.ci95) for test in row.tests}
        key = (row.learner, *_start(row.weights, starts)[:2], row.features, row.step, row.against)
        lines[key] = [leads[name] for name in shown]
    header = ["learner", "start", "method", "encoder", "run", "minus", *(RATES[name] for name in shown)]
    return ["", *table(header, [[*key, *leads] for key, leads in lines.items()])] if lines else []


def classified(rows: Sequence[Row]) -> list[str]:
    """A table of the rows of `repr classify`; none when there are none."""
    lines = []
    for row in rows:
        known = [*(row.config[name] for name in OF_CLASSIFIED[:4]), "yes" if row.config["masked"] else "no", len(row.seeds)]
        lines.append([*known, *(rate(row.metrics.get(name)) for name in CLASSIFIED)])
    return table([*OF_CLASSIFIED, *CLASSIFIED.values()], lines) if lines else []


def counted(rows: Sequence[tuple[str, Row]]) -> list[str]:
    """A table of the rows of automatic checkout, each with the name of its set; none when there are none."""
    known = [[name, *(row.config.get(setting, "") for setting in OF_CHECKOUT)] for name, row in rows]
    lines = [[*words, *(rate(row.metrics.get(name)) for name in COUNTED)] for words, (_, row) in zip(known, rows, strict=True)]
    return table(["set", *OF_CHECKOUT, *COUNTED.values()], lines) if lines else []


def looked_up(rows: Sequence[Row]) -> list[str]:
    """A table of the rows of lookups; none when there are none."""
    known = [
        [row.config["set"], row.config["learner"], row.config["size"], row.config.get("shots", "all"), row.config.get("views", "none")]
        for row in rows
    ]
    lines = [[*words, *(rate(row.metrics.get(name)) for name in LOOKED)] for words, row in zip(known, rows, strict=True)]
    return table(["set", "learner", "px", "images a product", "views", *LOOKED.values()], lines) if lines else []


def evaluated(rows: Sequence[Row]) -> list[str]:
    """The lines of a table of evaluations; none without rows."""
    lines = [[row.config["weights"], *(rate(row.metrics.get(name)) for name in EVALUATED)] for row in rows]
    return table(["weights", *EVALUATED.values()], lines) if lines else []


def _rows(step: Step, metric: str) -> list[Row]:
    """The rows of a step that have a metric."""
    return [row for row in step.found.rows if metric in row.metrics] if step.found else []


def _differences(results: Document) -> list[str]:
    """A line for each comparison of classifications: model − model."""
    if not results.command.startswith(CLASSIFY):
        return []
    configs = [from_json(RowConfig, row.config) for row in results.rows]
    weights = weights_names(config.weights for config in configs if config.weights)
    lines: list[str] = []
    for test in results.comparisons:
        sides = " − ".join(name(configs[side], weights) for side in (test.a, test.b))
        lead = points(test.difference, test.ci95)
        lines += ["", f"{sides}, level {configs[test.a].level}: {lead} points, p {p_value(test.p)}."]
    return lines


def _grid_and_failures(step: Step) -> list[str]:
    lines: list[str] = []
    if step.grid:
        scores = ", ".join(f"{one.value}: {100 * one.score:.1f}" for one in step.grid.tried)
        edge = ", at the grid's edge" if step.grid.at_edge else ""
        lines += ["", f"{step.step}: {step.grid.option} {step.grid.chosen}{edge}, of {scores} (training images that are not shots)."]
    for row in step.found.rows if step.found else ():
        if row.error and "learner" in row.config:
            lines += ["", f"Not run: {step.step}, {row.config['learner']}: {row.error}."]
    if step.error:
        lines += ["", f"Not run{' anew' if step.trained or step.grid or step.found else ''}: {step.step}, {step.error}."]
    return lines


def _px(config: Config) -> str:
    """The side of the images and, where they were not embedded as a whole, the crops."""
    crops = config["crops"]
    assert isinstance(crops, tuple)
    return str(config["size"]) + suffix(tuple(float(crop) for crop in crops if isinstance(crop, int | float)))


def _start(weights: str, starts: Mapping[str, Step]) -> list[str]:
    """What a row started from, in the columns start … trained px; a mix of two names both and the alpha of the second."""
    step = starts.get(weights)
    if step is None:
        return [weights, *["–"] * 5]
    if step.trained:
        trained = step.trained
        return [trained.init, trained.method, trained.source, trained.views, str(trained.epochs), str(trained.size)]
    words = shlex.split(step.run)
    first, second = (Path(word).name for word in words[3:5])
    alpha = words[words.index("--alpha") + 1] if "--alpha" in words else "0.25"
    start, method, *rest = _start(second, starts)
    mixed = f"{alpha} of ({method}) in ({_start(first, starts)[1]})" if first in starts else f"{method}, {alpha} of it mixed in"
    return [start, mixed, *rest]


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """The lines of a table in Markdown."""
    return [f"| {' | '.join(header)} |", "| " + "--- | " * len(header), *(f"| {' | '.join(map(str, row))} |" for row in rows)]


if __name__ == "__main__":
    main()
