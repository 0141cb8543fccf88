"""`repr compare`: runs side by side."""

from __future__ import annotations

from pathlib import Path

import click

from repr import console, options
from repr.tables import table


@options.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...", type=click.Path(path_type=Path))
@options.out_option("the comparison as an HTML page")
@options.json_option
def command(runs: tuple[Path, ...], out: Path | None, as_json: bool) -> None:
    """Put the results of run folders side by side.

    Shows the settings that differ, what came out, the rows of results.json, and a paired t-test between every two rows that are worth
    comparing (such as one learner from two weights) and have the same splits.

    \b
    Example:
      repr compare runs/scratch runs/shop --out compared.html
    """
    from repr.reports.compare import compare, tables, write_page

    compared = compare(runs)
    if out:
        console.say(f"Wrote {write_page(compared, out, runs)}")
    if as_json:
        console.emit(compared.as_json())
        return
    for n, part in enumerate(tables(compared)):
        click.echo(("\n" if n else "") + part.title)
        click.echo(table(part.header, part.rows))
