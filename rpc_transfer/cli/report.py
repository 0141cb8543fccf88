"""`rpc_transfer report`: the HTML page of a transfer run."""

from __future__ import annotations

from pathlib import Path

import click

from repr import console, options


@options.command("report")
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@options.out_option("the page (default report.html in the run folder)")
@options.json_option
def command(run: Path, out: Path | None, as_json: bool) -> None:
    """Draw the report of a transfer run as one self-contained HTML page.

    Table 9 beside the paper's figures, the ladder with intervals, forgetting, confusions with their images, nearest
    neighbours and a map of the embedding.

    \b
    Example:
      rpc_transfer report runs/transfer-1 --out transfer.html
    """
    from rpc_transfer.report import write

    console.say("Drawing the report: tables, confusions, neighbours and a map of the test images …")
    path = write(run, out)
    if as_json:
        console.emit({"run": str(run), "report": str(path)})
    else:
        click.echo(path)
