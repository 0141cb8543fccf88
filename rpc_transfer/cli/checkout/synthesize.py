"""`rpc_transfer checkout synthesize`: scenes of a counter, composed of exemplars."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from repr import console, options
from repr.errors import UserError
from rpc_transfer.checkout.settings import Scenes


@options.command("synthesize")
@options.shared("data")
@options.of(Scenes)
@options.option(
    "--background",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="PATH",
    section="data",
    help="An image of the empty counter, or a folder of them.  [repeatable; default: a plain one]",
)
@options.out_option("the folder, in RPC's format (needed); an unfinished one goes on")
@options.option("--workers", type=click.IntRange(1), section="machine", help="Processes.  [default: one a core]")
@options.json_option
def command(
    data: tuple[str, ...], background: tuple[Path, ...], out: Path | None, workers: int | None, as_json: bool, **arguments: Any
) -> None:
    """Compose scenes of a counter from exemplars: what a detector is trained on where no labelled scenes are, and what the index of a
    checkout holds (`repr index build --part train`), which then knows products as a counter shows them.

    Products are cut out of their ground and pasted, scaled and turned, with shadows, up to a bound on what is covered. The same
    seed gives the same files, however many processes work.

    \b
    Example:
      rpc_transfer checkout synthesize --data RPC --scenes 3000 --background counter.jpg --out scenes
    """
    from rpc_transfer.checkout.synthesis import synthesize

    if out is None:
        raise UserError("no folder to write to", "--out", "Name one")
    made = synthesize(out, data, Scenes(**arguments), backgrounds=background, workers=workers)
    if as_json:
        passed = [one.as_json() for one in made.passed_over]
        document = {"out": str(made.folder), "annotations": str(made.annotations), "scenes": dict(made.counts), "objects": made.objects}
        console.emit({**document, "passed_over": passed})
        return
    for one in made.passed_over:
        console.say(one.line())
    click.echo(f"{made.annotations}: {', '.join(f'{n:,} {level}' for level, n in made.counts.items())}, {made.objects:,} boxes")
