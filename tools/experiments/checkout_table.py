"""Print checkouts/results.json as the Markdown tables of docs/checkout.md.

python tools/experiments/checkout_table.py [RESULTS.json]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from repr.evaluation.statistics import half_width
from repr.files import read_json

RESULTS = Path(__file__).parent / "checkouts" / "results.json"
LEVELS = ("easy", "medium", "hard", "averaged")
METRICS = ("cAcc", "ACD", "mCCD", "mCIoU", "mAP50", "mmAP")
ERRORS = ("right", "missed", "within", "across", "unknown", "too many")
Key = tuple[str, ...]
Trial = Mapping[str, Any]


def grouped(rows: Iterator[tuple[Key, Mapping[str, Any]]]) -> dict[Key, list[Mapping[str, Any]]]:
    """Rows of equal keys together, in the order in which they come."""
    found: dict[Key, list[Mapping[str, Any]]] = {}
    for key, row in rows:
        found.setdefault(key, []).append(row)
    return found


def rows_of(trials: Sequence[Trial], wanted: Callable[[Mapping[str, Any]], bool]) -> Iterator[tuple[Key, Mapping[str, Any]]]:
    """The rows of all trials: set, weights, learner and boxes, and the row."""
    for trial in trials:
        for row in trial["rows"]:
            if wanted(row):
                yield (trial["data"], trial["weights"], row["learner"], row["boxes"]), row


def mean(values: Sequence[float | None], percent: bool = True) -> str:
    """Mean and half the 95 % interval over seeds; "" where there is nothing."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    scale, digits = (100, 1) if percent else (1, 2)
    width = half_width(known)
    told = f"{scale * float(np.mean(known)):.{digits}f}"
    return told if width is None else f"{told} ± {scale * width:.{digits}f}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; numbers to the right."""
    lines = ["| " + " | ".join(header) + " |", "|" + "".join(" --- |" if n < 4 else " ---: |" for n in range(len(header)))]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def levels(trials: Sequence[Trial]) -> str:
    """cAcc at each level, and the other metrics over all, strict; rpctool's cAcc beside."""
    told = []
    for key, rows in grouped(rows_of(trials, lambda row: row["unknown"] == "scenes" and row["boxes"] != "base")).items():
        strict = [row["levels"]["strict"] for row in rows]
        accuracies = [mean([one[level]["cAcc"] for one in strict]) for level in LEVELS]
        others = [mean([one["averaged"][name] for one in strict], percent=name not in ("ACD", "mCCD")) for name in METRICS[1:]]
        tool = mean([row["levels"]["rpctool"]["averaged"]["cAcc"] for row in rows])
        told.append([*key, *accuracies, tool, *others, str(len(rows))])
    names = [f"cAcc {level}" for level in LEVELS]
    return table(["set", "weights", "learner", "boxes", *names, "as rpctool", *METRICS[1:], "seeds"], told)


def losses(trials: Sequence[Trial]) -> str:
    """Where true boxes are lost."""
    told = []
    for key, rows in grouped(rows_of(trials, lambda row: row["unknown"] == "scenes" and row["boxes"] != "base")).items():
        told.append([*key, *(mean([row["errors"][name] for row in rows]) for name in ERRORS)])
    named = ("right", "missed", "wrong within", "wrong across", "below the threshold", "too many")
    return table(["set", "weights", "learner", "boxes", *named], told)


def unknowns(trials: Sequence[Trial]) -> str:
    """What the index's own threshold costs on true boxes."""
    told = []
    found = grouped(rows_of(trials, lambda row: row["boxes"] == "true"))
    for key, rows in found.items():
        by = {who: [row for row in rows if row["unknown"] == who] for who in ("index", "scenes")}
        accuracies = [mean([row["levels"]["strict"]["averaged"]["cAcc"] for row in by[who]]) for who in by]
        told.append([*key, mean([row["flagged"] for row in by["index"]]), *accuracies])
    return table(["set", "weights", "learner", "boxes", "called unknown", "cAcc, index's threshold", "cAcc, threshold of scenes"], told)


def additions(trials: Sequence[Trial]) -> str:
    """Products that come later."""

    def _rows() -> Iterator[tuple[Key, Mapping[str, Any]]]:
        for trial in trials:
            for row in trial["added"]:
                yield (trial["data"], trial["weights"], row["way"], row["boxes"]), row

    told = []
    for key, rows in grouped(_rows()).items():
        shares = [mean([row[name] for row in rows]) for name in ("novel", "base")]
        told.append([*key, mean([row["cAcc"]["averaged"] for row in rows]), *shares, str(len(rows))])
    return table(["set", "weights", "novel products", "boxes", "cAcc", "recall novel", "recall base", "seeds"], told)


@click.command()
@click.argument("results", type=click.Path(path_type=Path), default=RESULTS)
def main(results: Path) -> None:
    """Print the tables."""
    content = read_json(results)
    trials = content["trials"]
    click.echo(f"`{content['command']}`, {content['written']}\n")
    for part in (levels, losses, unknowns, additions):
        click.echo(part(trials) + "\n")
    shown = ("ap", "recall", "precision", "threshold")
    rows = [[name, *(f"{one[key]:.3f}" for key in shown)] for name, one in content["detectors"].items()]
    click.echo(table(["detector", "AP50", *shown[1:]], rows) + "\n")
    agreed = ("a scene", "equal", "within one", "difference")
    real = [[one["boxes"], *(f"{one[key]:.2f}" for key in agreed)] for one in content["real"]]
    click.echo(table(["boxes", "boxes a scene", "pairs equal", "within one", "mean difference"], real))


if __name__ == "__main__":
    main()
