"""`repr classify`: the full catalogue into its classes, by text, image or both; and the papers' tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from repr import console, options, tables
from repr.classify.grid import Request

SPELLED = {
    "models": "--model",
    "presets": "--preset",
    "nets": "--hierarchy",
    "levels": "--level",
    "parts": "--under",
    "mask": "--mask-class-words/--keep-class-words",
    "shares": "--fine-share",
    "end_to_end": "--end-to-end/--frozen",
    "adjust": "--logit-adjustment",
}
COMMANDS = {
    "table": "repr.cli.classify:table",
    "predict": "repr.cli.classify_predict:command",
    "ensemble": "repr.cli.classify_ensemble:command",
    "noise": "repr.cli.classify_noise:command",
}
KEPT = "trials, which are not run again, what was trained, tables of classes, and report.html"


class Group(console.LazyGroup, options.Command):
    """A command of its own that has others below it; its help is in sections."""


@click.command(cls=Group, table=COMMANDS, invoke_without_command=True)
@options.of(Request, spelled=SPELLED)
@options.out_option(f"{KEPT} (default: print)")
@options.config_option
@options.download_option
@options.json_option
@click.pass_context
def command(ctx: click.Context, /, as_json: bool, out: Path | None, **arguments: Any) -> None:
    """Classify a catalogue by title, image or both, and measure it on the test part.

    \b
    Examples:
      repr classify --level 2 --model ngram --data shop --split grouped --mask-class-words --json
      repr classify --model encoder --weights runs/mine --model ngram --model gated --data shop --seeds 5
      repr classify --model bert --hierarchy flat --hierarchy coarse-to-fine --level 1,2 --data shop

    A row that lacks its weights reads "not run". Text rows need no download; `bert` reads Chinese only with --bert.
    """
    if ctx.invoked_subcommand is None:
        _run(ctx, "", as_json, out, arguments)
    else:
        options.refuse_typed(ctx, ctx.params, "a command follows", f"Type it behind {ctx.invoked_subcommand}")


@options.command("table")
@click.argument("number", metavar="4|5|6|8|fig8|rakuten")
@options.of(Request, spelled=SPELLED)
@options.out_option(f"{KEPT} (default: runs/classify-…)")
@options.config_option
@options.json_option
@click.pass_context
def table(ctx: click.Context, /, number: str, as_json: bool, out: Path | None, **arguments: Any) -> None:
    """Run a table of MEP-3M's paper, or that of the Rakuten challenge's winners, with their figures beside ours.

    \b
    Examples:
      repr classify table 5 --data shop --scale 0.25
      repr classify table 4 --data shop --preset paper --preset grouped
      repr classify table rakuten --data rakuten --split stratified --seeds 5
    """
    _run(ctx, number, as_json, out, arguments)


def _run(ctx: click.Context, number: str, as_json: bool, out: Path | None, arguments: dict[str, Any]) -> None:
    from repr.classify.request import ask, command_of
    from repr.reports import unfinished
    from repr.reports.classify_report import table, write
    from repr.reports.table_six import improvements

    try:
        answer = ask(number, Request(**arguments), out)
    except BaseException:  # stopped or failed, it has a page too
        if page := unfinished.write(out, command_of(number)):
            console.say(f"What is kept: {page}")
        raise
    if answer.out:
        console.say(f"Report: {write(answer)}")
    if as_json:
        console.emit(answer.document.as_json())
        return
    header, body = table(answer)
    if body:
        click.echo(tables.table(header, body))
    for caption, nets, cells in improvements(answer.rows, answer.papers, answer.weights) if answer.number == "6" else ():
        click.echo(f"\n{caption}\n{tables.table(nets, cells)}\n")
    for line in answer.document.notes:
        click.echo(console.spelled(line, ctx.command))
