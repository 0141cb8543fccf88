"""Print the experiments' results as the Markdown tables of the README."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from repr.files import read_json

RATES = {"acc_all": "all", "acc_base": "base", "acc_novel": "novel", "harmonic_mean": "harmonic"}


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, path_type=Path))
def main(files: tuple[Path, ...]) -> None:
    """Print FILE… (by default all under results/)."""
    for file in files or sorted((Path(__file__).parent / "results").glob("*.json")):
        click.echo("\n".join(markdown(read_json(file))) + "\n")


def markdown(experiment: dict[str, Any]) -> list[str]:
    """The lines of one experiment: a table of its transfer rows, best acc_novel last, and what the grids chose."""
    rows = [(len(step["seeds"]), row) for step in experiment["steps"] if "rows" in step for row in step["rows"] if not row["error"]]
    rows.sort(key=lambda pair: pair[1]["acc_novel"]["mean"])
    out = [f"**{experiment['title']}** ({experiment['written']})", ""]
    out += [f"| learner | start | encoder | px | seeds | {' | '.join(RATES.values())} |", "| " + "--- | " * (5 + len(RATES))]
    for seeds, row in rows:
        known = [row["learner"], row["weights"] or "none", row["features"], str(row["size"]), str(seeds)]
        out.append(f"| {' | '.join([*known, *(_rate(row[name]) for name in RATES)])} |")
    for step in experiment["steps"]:
        if "tried" in step:
            tried = ", ".join(f"{value}: {100 * score:.1f}" for value, score in step["tried"].items())
            out += [
                "",
                f"{step['step']}: {step['option']} {step['chosen']} of {tried} (training pictures that are not shots, one other seed).",
            ]
    return out


def _rate(figure: dict[str, Any]) -> str:
    half = "" if figure["ci95"] is None else f" ± {100 * figure['ci95']:.1f}"
    return f"{100 * figure['mean']:.1f}{half}"


if __name__ == "__main__":
    main()
