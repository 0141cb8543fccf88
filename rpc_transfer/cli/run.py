"""`rpc_transfer run`: base step, increments, and what is then recognised, beside other starting weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from repr import console, options
from repr.commands import command_line
from repr.learners import LEARNERS, explained
from rpc_transfer.settings import Settings


@options.command("run")
@options.of(Settings, bare={"reject": 0.95})
@options.out_option("the run folder; an unfinished run there goes on")
@options.config_option
@options.download_option
@options.json_option
def command(as_json: bool, out: Path | None, **arguments: Any) -> None:
    """Teach base products, take in novel ones from a few images each, and measure what is then recognised.

    Prints one row a learner and starting weights: none, yours, imagenet. Finished parts are kept; the same command
    goes on after an interruption. Without --data the products are those of the synthetic shop.

    \b
    Examples:
      rpc_transfer run --novel 34                                     on the synthetic shop
      rpc_transfer run --data RPC --novel 34 --shots 10 --weights runs/pretrain-1 --seeds 5
      rpc_transfer run --data RPC --novel 34 --learner ncm --increments 17x2 --shots 1,5,10
      rpc_transfer run --data RPC --novel 34 --weights runs/pretrain-1 --learner lda-root --features base-trained
    """
    if "help" in arguments["learner"]:
        for name in LEARNERS:
            click.echo("\n    ".join([name, *(explained(name) or ["no settings of its own"])]))
        return
    from repr.reports import unfinished
    from rpc_transfer import experiment, paper, summary
    from rpc_transfer.results import COMMAND

    settings = Settings(**(paper.fixed(arguments) if arguments["preset"] else arguments))
    try:
        results = experiment.run(settings, out)
    except BaseException:  # stopped or failed, it has a page too
        if page := unfinished.write(out or experiment.unfinished(settings), COMMAND):
            console.say(f"What is kept: {page}")
        raise
    if as_json:
        console.emit(results.document.as_json())
        return
    click.echo("\n".join(summary.lines(results)))
    console.say(f"Run folder: {results.folder}. Next: {command_line('rpc_transfer report', results.folder)}")
