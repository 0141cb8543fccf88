"""`repr classify noise`: labels that look wrong, found and taken out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from repr import console, options, tables
from repr.classify.pruning import Request

SHOWN = 20  # rows printed
COMMANDS = {"find": "repr.cli.classify_noise:find", "apply": "repr.cli.classify_noise:take_out"}
DROP = "What is dropped: flagged (all), tenth (of the flagged, worst first, as the paper), or N% of the flagged."


@click.command("noise", cls=console.LazyGroup, table=COMMANDS)
def command() -> None:
    """Find training rows whose label looks wrong, and take them out."""


@options.command("find")
@options.of(Request, spelled={"mask": "--mask-class-words/--keep-class-words"})
@options.out_option("noise.json, flagged.csv to look over and edit, report.html with the worst, and the catalog as it was divided")
@options.json_option
def find(as_json: bool, out: Path | None, **arguments: Any) -> None:
    """Flag training rows whose label a model that never saw them holds for wrong, worst first.

    Every training row is asked of a model that was trained on the other folds; confident learning (cleanlab) flags. Validation and test
    rows are never looked at.

    \b
    Examples:
      repr classify noise find --data shop --level 2 --model ngram --out noise
      repr classify noise find --data rakuten --model encoder --weights runs/mine --drop 50% --json
    """
    from repr.classify.noise import find as look
    from repr.reports.noise_report import write

    findings = look(Request(**arguments), out)
    if out:
        console.say(f"Report: {write(findings, out)}")
    if as_json:
        console.emit(findings.as_json())
        return
    rows = [[one.product, one.given, one.proposed, f"{one.margin:.3f}", "yes" if one.dropped else ""] for one in findings.flagged[:SHOWN]]
    if rows:
        click.echo(tables.table(["product", "given", "proposed", "margin", "dropped"], rows))
    click.echo(findings.words)


@options.command("apply")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@options.option("--drop", metavar="SHARE", help=f"{DROP}  [default: what flagged.csv says]")
@options.out_option("the catalog without them", Path("pruned.parquet"))
@options.json_option
def take_out(folder: Path, drop: str | None, out: Path, as_json: bool) -> None:
    """Write the catalog without the rows that flagged.csv says to drop, divided as it was.

    \b
    Example:
      repr classify noise apply noise --out pruned.parquet
    """
    from repr.classify.noise import apply

    done = apply(folder, out, drop)
    if as_json:
        console.emit(done.as_json())
        return
    click.echo(done.words)
